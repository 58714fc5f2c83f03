// `simulate`: a fleet at a steady pace against a real bridge, and against ones that refuse or are not there.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createSubmissions } from '../../../src/cli/simulate/simulate-fleet.ts';
import { createLatencies, runAtRate } from '../../../src/cli/simulate/simulate-load.ts';
import type { Tenant } from '../../../src/queue/tenant.ts';
import { startTestBridge, type TestBridge } from '../../support/bridge.ts';
import { runCli, startCli } from '../../support/cli.ts';
import { GROUP_KEY, OLD_GROUP_KEY } from '../../support/device.ts';
import { freePort } from '../../support/free-port.ts';
import { until } from '../../support/until.ts';

type Told = { submitted: number; accepted: number; known: number; refused: object; unanswered: object };

let bridge: TestBridge;
let queue: Tenant;
let url: string;

beforeAll(async () => {
  bridge = await startTestBridge();
  ({ queue, url } = bridge);
});
afterAll(() => bridge.close());

async function simulate(args: string[], { to = url, key = GROUP_KEY } = {}) {
  const ran = await runCli(['simulate', '--url', to, '--json', ...args], { env: { DEVICE_GROUP_KEYS: key } });
  return { code: ran.code, told: JSON.parse(ran.stdout) as Told };
}

test('a fleet · reports in turn · and the same seed a second time is known', async () => {
  const flags = ['--devices', '10', '--runs', '20', '--rate', '500', '--seed', '1'];
  expect(await simulate(flags)).toMatchObject({
    code: 0,
    told: {
      submitted: 20,
      accepted: 20,
      known: 0,
      refused: {},
      unanswered: {},
      latencyMs: { max: expect.any(Number) as number },
    },
  });
  expect((await queue.deliveries.counts()).queued).toBe(20);
  expect(await simulate(flags)).toMatchObject({ code: 0, told: { submitted: 20, accepted: 0, known: 20 } });
  expect((await queue.deliveries.counts()).queued).toBe(20);
}, 20_000);

test('without a seed · everything is new · and what is sent again is not accepted twice', async () => {
  const before = (await queue.deliveries.counts()).queued;
  const { told } = await simulate(['--runs', '60', '--rate', '500', '--again', '50']);
  expect(told.accepted + told.known).toBe(60);
  expect(told.known).toBeGreaterThan(10);
  expect((await queue.deliveries.counts()).queued - before).toBe(told.accepted);
}, 20_000);

test('a table for people · shows what was answered', async () => {
  const { stdout } = await runCli(['simulate', '--url', url, '--devices', '3', '--rate', '500'], {
    env: { DEVICE_GROUP_KEYS: GROUP_KEY },
  });
  expect(stdout).toMatch(/│ submissions +│ 3 +│ .*\/s, 500\/s asked for/);
  expect(stdout).toMatch(/│ accepted +│ 3 +│ 202/);
  expect(stdout).toMatch(/│ latency p99 +│ [\d.]+ ms/);
}, 20_000);

test('refused for good, not answered, no key, two lengths · 65, 75, 64, 64', async () => {
  expect(await simulate(['--runs', '3', '--rate', '500'], { key: OLD_GROUP_KEY })).toMatchObject({
    code: 65,
    told: { accepted: 0, refused: { '401 unauthenticated': 3 } },
  });
  const nobody = await simulate(['--runs', '3', '--rate', '500'], { to: `http://127.0.0.1:${await freePort()}` });
  expect(nobody).toMatchObject({ code: 75, told: { accepted: 0, refused: {} } });
  expect(Object.values(nobody.told.unanswered)).toEqual([3]);
  expect((await runCli(['simulate', '--url', url])).code).toBe(64);
  const both = await runCli(['simulate', '--url', url, '--runs', '1', '--seconds', '1'], {
    env: { DEVICE_GROUP_KEYS: GROUP_KEY },
  });
  expect(both.code).toBe(64);
}, 30_000);

test('Ctrl-C · stops the fleet · and still prints what it was answered', async () => {
  const before = (await queue.deliveries.counts()).queued;
  const running = startCli(['simulate', '--url', url, '--seconds', '600', '--rate', '20', '--json'], {
    env: { DEVICE_GROUP_KEYS: GROUP_KEY },
  });
  await until('some accepted', async () => (await queue.deliveries.counts()).queued >= before + 5, 10_000);
  running.signal('SIGINT');
  const { code, stdout } = await running.ended;
  const told = JSON.parse(stdout) as Told;
  expect([code, told.submitted]).toEqual([0, told.accepted]);
  expect(told.accepted).toBe((await queue.deliveries.counts()).queued - before);
}, 20_000);

describe('the plan', () => {
  const plan = { devices: 3, configurationIds: ['c-1'], seed: 7, nowMs: 0, again: 0 };
  const take = (changes: Partial<typeof plan>, count: number) => {
    const next = createSubmissions({ ...plan, ...changes });
    return Array.from({ length: count }, next);
  };

  test('devices · report in turn · each under its own name, every run its own', () => {
    const runs = take({}, 9);
    expect(runs.map(({ deviceId }) => deviceId)).toEqual(
      [...runs, ...runs].slice(3, 12).map(({ deviceId }) => deviceId),
    );
    expect(new Set(runs.map(({ deviceId }) => deviceId)).size).toBe(3);
    expect(new Set(runs.map(({ deviceName }) => deviceName)).size).toBe(3);
    expect(new Set(runs.map(({ runId }) => runId)).size).toBe(9);
    expect(new Set(runs.map(({ completedAt }) => completedAt)).size).toBe(9);
  });

  test('the same seed · says the same · another seed something else', () => {
    expect(take({ again: 30 }, 20)).toEqual(take({ again: 30 }, 20));
    expect(take({}, 1)).not.toEqual(take({ seed: 8 }, 1));
  });
});

describe('the load', () => {
  test('a slow answer · holds nobody up · and is timed from when it was due', async () => {
    const { promise: released, resolve: release } = Promise.withResolvers<undefined>();
    const started: number[] = [];
    const took: number[] = [];
    await runAtRate(
      { total: 5, perSecond: 1000, signal: new AbortController().signal },
      async (index) => {
        started.push(index);
        if (index === 4) release(undefined);
        if (index === 0) await released;
      },
      (ms) => took.push(ms),
    );
    expect(started).toEqual([0, 1, 2, 3, 4]);
    expect(took).toHaveLength(5);
    expect(Math.max(...took)).toBeGreaterThan(3);
  });

  test('percentiles · are counted to a tenth of a millisecond', () => {
    const { record, percentile } = createLatencies();
    expect(percentile(0.5)).toBeNull();
    for (let ms = 1; ms <= 100; ms++) record(ms + 0.04);
    expect([0.5, 0.9, 0.99, 1].map(percentile)).toEqual([50, 90, 99, 100]);
  });
});
