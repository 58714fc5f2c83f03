// `bench` against a real bridge: what it takes, what it refuses, and that nothing is created unasked.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Tenant } from '../../../src/queue/tenant.ts';
import { startTestBridge, type TestBridge } from '../../support/bridge.ts';
import { runCli, startCli } from '../../support/cli.ts';
import { GROUP_KEY, OLD_GROUP_KEY } from '../../support/device.ts';
import { freePort } from '../../support/free-port.ts';
import { until } from '../../support/until.ts';

type Told = { submitted: number; accepted: number; known: number; refused: object; unanswered: Record<string, number> };
type Measured = Told & { warmUp: Told; seconds: number; acceptedPerSecond: number; latencyMs: Record<string, number> };

const MAX_BODY_BYTES = 20_000;

let bridge: TestBridge;
let queue: Tenant;
let url: string;

beforeAll(async () => {
  bridge = await startTestBridge({
    MAX_BODY_BYTES: String(MAX_BODY_BYTES),
  });
  ({ queue, url } = bridge);
});
afterAll(() => bridge.close());

const withKey = (key = GROUP_KEY) => ({ env: { DEVICE_GROUP_KEYS: key } });
const queued = async () => (await queue.deliveries.counts()).queued;

async function measure(args: string[], { to = url, key = GROUP_KEY } = {}) {
  const short = ['--seconds', '1', '--warm-up', '1', '--connections', '4', '--json', '--yes'];
  const { code, stdout } = await runCli(['bench', '--url', to, ...short, ...args], withKey(key));
  return { code, measured: JSON.parse(stdout) as Measured };
}

test('a bridge · takes what it is given · and all that was accepted is there, warm-up and all', async () => {
  const before = await queued();
  const { code, measured } = await measure(['--size', '1000']);
  const { warmUp, submitted, accepted, acceptedPerSecond, seconds, latencyMs } = measured;
  expect([code, measured.refused, measured.unanswered]).toEqual([0, {}, {}]);
  expect([submitted, warmUp.submitted]).toEqual([accepted, warmUp.accepted]);
  expect(Math.min(accepted, warmUp.accepted)).toBeGreaterThan(4);
  expect((await queued()) - before).toBe(accepted + warmUp.accepted);
  expect(acceptedPerSecond).toBeCloseTo(accepted / seconds, 5);
  expect(latencyMs).toMatchObject({ p50: expect.any(Number) as number, p99: expect.any(Number) as number });
  expect(latencyMs['max']).toBeGreaterThanOrEqual(latencyMs['p50'] ?? Infinity);
}, 20_000);

test('outputs too large, another key, nobody there · are counted by code · with 65, 65, 75', async () => {
  const before = await queued();
  const [large, stranger, nobody] = await Promise.all([
    measure(['--size', String(MAX_BODY_BYTES)]),
    measure([], { key: OLD_GROUP_KEY }),
    measure([], { to: `http://127.0.0.1:${await freePort()}` }),
  ]);
  expect([large, stranger, nobody].map(({ code }) => code)).toEqual([65, 65, 75]);
  for (const counts of [large.measured, large.measured.warmUp])
    expect(counts.refused).toEqual({ '413 too-large': counts.submitted });
  expect(stranger.measured.refused).toEqual({ '401 unauthenticated': stranger.measured.submitted });
  expect(Object.values(nobody.measured.unanswered)).toEqual([nobody.measured.submitted]);
  expect(nobody.measured.submitted).toBeLessThan(100);
  expect(nobody.measured.latencyMs).toEqual({ p50: null, p90: null, p99: null, max: null });
  expect(await queued()).toBe(before);
}, 30_000);

test('without --yes, without a key · nothing is submitted · 64, and why', async () => {
  const before = await queued();
  const unasked = await runCli(['bench', '--url', url, '--configuration', 'c-1'], withKey());
  expect(unasked).toMatchObject({ code: 64, stdout: '' });
  expect(unasked.stderr).toBe(
    `For 12 s ${url} gets as many run results as it takes, and each one it accepts is created in Graph, for c-1. Go on? Say --yes.\n`,
  );
  expect((await runCli(['bench', '--url', url, '--yes'])).code).toBe(64);
  expect(await queued()).toBe(before);
}, 20_000);

test('Ctrl-C · ends it · and a table for people still says what was accepted', async () => {
  const before = await queued();
  const running = startCli(
    ['bench', '--url', url, '--seconds', '600', '--warm-up', '0', '--connections', '2', '--yes'],
    withKey(),
  );
  await until('some accepted', async () => (await queued()) >= before + 20, 10_000);
  running.signal('SIGINT');
  const { code, stdout } = await running.ended;
  expect(code).toBe(0);
  expect(stdout).toMatch(/│ accepted +│ [\d.]+\/s +│ \d+ in [\d.]+ s/);
  expect(Number(/(\d+) in /.exec(stdout)?.[1])).toBe((await queued()) - before);
  expect(stdout).toMatch(/│ latency p99 +│ [\d.]+ ms/);
}, 20_000);
