// Nothing leaks: real processes through good days and bad ones, everything marked that nobody else may see, and then a search.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseRunResult } from '../src/domain/submission/run-result.ts';
import {
  liveMarkedDays,
  markedRun,
  PASSWORDS,
  SAID,
  SECRETS,
  STRANGE,
  type MarkedWorld,
} from './support/marked-days.ts';
import { startTestRedis } from './support/redis.ts';
import { openTestTenant } from './support/tenant.ts';

const TOKEN = /eyJ[\w-]{8,}\./;

let world: MarkedWorld;
beforeAll(async () => {
  world = await liveMarkedDays();
}, 60_000);
afterAll(() => world.close());

/** Every marker that is in a text, also in another spelling of its bytes. */
function found(text: string, markers: readonly string[]): string[] {
  const spellings = (marker: string) => [
    marker,
    Buffer.from(marker).toString('base64').slice(0, 16),
    encodeURIComponent(marker),
  ];
  return markers.filter((marker) => spellings(marker).some((spelling) => text.includes(spelling)));
}

const nobodys = () => [...Object.values(SAID), ...PASSWORDS, ...Object.values(SECRETS), ...Object.values(STRANGE)];

describe('after good days and bad ones', () => {
  test('the days · were as planned · so that there was something to leak', () => {
    const statuses = new Set(world.answers.map(({ status }) => status));
    expect([...statuses].sort()).toEqual([200, 202, 400, 401, 403, 404, 405, 409, 415, 422, 503]);
    const logged = [...world.api.lines, ...world.worker.lines].map(({ msg }) => msg);
    expect(logged).toEqual(expect.arrayContaining(['submission', 'request', 'dead letter', 'attempt']));
    expect(logged.filter((msg) => /^held/.test(msg)).length).toBeGreaterThan(1);
  });

  test('the logs, at the most verbose level · hold no secret · and nothing a device or person said', () => {
    for (const process of [world.api, world.worker]) {
      const text = process.stdout() + process.stderr();
      expect(text.length).toBeGreaterThan(1000);
      expect(found(text, [...nobodys(), ...world.signatures])).toEqual([]);
      expect(text).not.toMatch(TOKEN);
    }
  });

  test('every answer · holds none either · header fields included', () => {
    const text = JSON.stringify(world.answers);
    expect(found(text, nobodys())).toEqual([]);
    expect(text).not.toMatch(TOKEN);
    expect(text).not.toMatch(/node_modules|\.ts:\d/);
  });

  test('metrics and health · hold none · and no device', () => {
    const text = world.scrapes.join('\n');
    expect(text).toContain('runstate_submissions_total');
    expect(found(text, [...nobodys(), 'BER-LAT-0001'])).toEqual([]);
  });

  test('Graph · has what was said · but no password', () => {
    const records = world.sandbox.records();
    expect(records.length).toBeGreaterThan(3);
    for (const record of records) {
      expect(record).toMatchObject({ upn: SAID.upn, deviceName: SAID.deviceName, osVersion: SAID.osVersion });
      expect(record.configurationOutput).toContain(SAID.output);
      expect(record.configurationError).toContain(SAID.error);
      expect(found(JSON.stringify(record), PASSWORDS)).toEqual([]);
    }
  });

  test('Redis’s files, under PAYLOAD_KEYS · hold nothing that was said · in any command ever written', () => {
    const text = filesOf(world.redis.directory);
    expect(text).toContain('runstate');
    expect(found(text, nobodys())).toEqual([]);
  });
});

test('without PAYLOAD_KEYS · the same search · finds what was said, and still no password', async () => {
  const plain = await startTestRedis();
  const queue = await openTestTenant(plain);
  try {
    const parsed = parseRunResult(markedRun('run-9'));
    if (!parsed.ok) throw new Error(JSON.stringify(parsed.faults));
    await queue.deliveries.accept(parsed.runResult, Date.now());
    const text = filesOf(plain.directory);
    expect(found(text, Object.values(SAID))).toEqual(Object.values(SAID));
    expect(found(text, PASSWORDS)).toEqual([]);
  } finally {
    await queue.close();
    await plain.close();
  }
});

function filesOf(directory: string): string {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((path) => statSync(path).isFile())
    .map((path) => readFileSync(path, 'latin1'))
    .join('\n');
}
