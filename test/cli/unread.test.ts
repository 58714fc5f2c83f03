// Output that nobody reads to its end: commands end quietly, as other tools do, and leave nothing behind.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Tenant } from '../../src/queue/tenant.ts';
import { startTestBridge, type TestBridge } from '../support/bridge.ts';
import { GROUP_KEY } from '../support/device.ts';
import { conclusionOf, rejected } from '../support/outcomes.ts';
import { aRun } from '../support/tenant.ts';
import { until } from '../support/until.ts';
import { INHERITED } from '../support/environment.ts';

const OPERATOR_TOKEN = 'operators-of-the-test-of-unread-output';
const LETTERS = 120;

let bridge: TestBridge;
let queue: Tenant;
let url: string;
let id: string;

beforeAll(async () => {
  bridge = await startTestBridge({ OPERATOR_TOKEN });
  ({ queue, url } = bridge);
  for (let run = 0; run < LETTERS; run += 1) {
    ({ id } = await conclusionOf({
      tenant: queue,
      run: aRun(`run-${run}`),
      outcome: rejected(404, 'no such configuration '.repeat(40)),
      instants: {
        acceptedAt: 1,
        now: 2,
      },
    }));
  }
});
afterAll(() => bridge.close());

/** Runs a command line of a shell with the CLI as `bridge`; `code` is the CLI's own, whatever read it. */
async function shell(line: string, env: Record<string, string> = {}) {
  const script = `bridge() { "$NODE" src/cli/main.ts "$@"; }; ${line}; echo "code $?"`;
  const child = spawn('bash', ['-o', 'pipefail', '-c', script], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...INHERITED,
      NODE: process.execPath,
      URL: url,
      ID: id,
      OPERATOR_TOKEN,
      DEVICE_GROUP_KEYS: GROUP_KEY,
      REDIS_URL: bridge.redis.url,
      ...env,
    },
  });
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  const [, said = '', code] = /^([^]*?)code (\d+)\n$/.exec(stdout) ?? [];
  return { code: Number(code), said, stderr };
}

test.each([
  'bridge dead-letters --limit 200 --url $URL',
  'bridge dead-letters --limit 200 --json --url $URL',
  'bridge explain $ID --url $URL',
  'bridge explain $ID --json --url $URL',
  'bridge status --url $URL',
  'bridge status --json --url $URL',
  'bridge status --watch --url $URL',
  'bridge device list --url $URL',
  'bridge doctor --for api',
  'bridge doctor --for api --json',
  'bridge device-key PC-1',
  'bridge simulate --devices 2 --rate 100 --url $URL',
])('%s | true · ends quietly · with 141', async (command) => {
  expect(await shell(`${command} | (exec <&-)`)).toEqual({ code: 141, said: '', stderr: '' });
});

test('a long list · of which one line is read · ends quietly', async () => {
  const { code, said, stderr } = await shell('bridge dead-letters --limit 200 --json --url $URL | head -1');
  expect([code, said, stderr]).toEqual([141, '[\n', '']);
});

test('read to the end, slowly · all of it comes', async () => {
  const { code, said } = await shell('bridge dead-letters --limit 200 --json --url $URL | (sleep 0.3; cat)');
  expect([code, (JSON.parse(said) as unknown[]).length]).toEqual([0, LETTERS]);
});

test('a full disk · is said on standard error · exit 74', async () => {
  const { code, stderr } = await shell('bridge dead-letters --url $URL > /dev/full');
  expect([code, stderr]).toEqual([74, expect.stringMatching(/^standard output cannot be written: ENOSPC.*\n$/)]);
});

test('nobody reads what is complained about · ends quietly · with 141', async () => {
  expect(await shell('bridge report --url $URL 2>&1 >/dev/null | (exec <&-)')).toMatchObject({ code: 141, stderr: '' });
});

test('complaints onto a full disk · change nothing · of the exit code', async () => {
  expect(await shell('bridge report --url $URL 2>/dev/full')).toEqual({ code: 64, said: '', stderr: '' });
});

test('help · into a pipe that is closed · ends quietly', async () => {
  expect(await shell('bridge --help | (exec <&-)')).toMatchObject({ said: '', stderr: '' });
});

test('a simulation · that nobody reads any more · stops submitting', async () => {
  const started = Date.now();
  const line = 'bridge simulate --devices 2 --rate 20 --seconds 600 --url $URL 2>&1 | head -1';
  expect(await shell(line)).toEqual({ code: 141, said: expect.stringMatching(/^\d+ submitted/) as string, stderr: '' });
  expect(Date.now() - started).toBeLessThan(50_000);
}, 60_000);

test('the demo · that nobody reads any more · takes everything down with it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'unread-'));
  const demo = 'bridge demo --devices 200 --time-scale 4 | head -1';
  const { code, said, stderr } = await shell(demo, { TMPDIR: directory, REDIS_URL: '' });
  expect([code, said, stderr]).toEqual([141, expect.stringMatching(/^Starting a sandbox.*\n$/), '']);
  expect(await readdir(directory)).toEqual([]);
  await until('no process of the demo is left', async () => (await processesNaming(directory)).length === 0);
  await rm(directory, { recursive: true });
}, 60_000);

/** The processes with this text in their arguments or environment. */
async function processesNaming(what: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const found = await Promise.all(
    pids.map(async (pid) => {
      const read = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
      return ((await read('cmdline')) + (await read('environ'))).includes(what) ? [pid] : [];
    }),
  );
  return found.flat();
}
