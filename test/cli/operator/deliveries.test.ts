// `deliveries` against a real bridge: a table, an export, and an index for what an earlier version stored.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestBridge, type TestBridge } from '../../support/bridge.ts';
import { runCli } from '../../support/cli.ts';
import { aRun } from '../../support/tenant.ts';

const OPERATOR_TOKEN = 'operators-of-the-deliveries-test-of-cli';
const operator = { env: { OPERATOR_TOKEN } };
const T = Date.UTC(2026, 10, 23, 12);

let bridge: TestBridge;

beforeAll(async () => {
  bridge = await startTestBridge({ OPERATOR_TOKEN });
  for (const number of [0, 1, 2]) {
    await bridge.queue.deliveries.accept(
      aRun(number, { deviceId: number === 2 ? '-LAPTOP' : 'LAPTOP-1' }),
      T + 1000 * number,
    );
  }
});
afterAll(() => bridge.close());

const deliveries = (...args: string[]) => runCli(['deliveries', '--url', bridge.url, ...args], operator);

test('deliveries of a device · are a table, newest first · as many as were asked for', async () => {
  const { code, stdout } = await deliveries('--device', 'LAPTOP-1', '--status', 'queued');
  expect(code).toBe(0);
  const rows = stdout.split('\n').filter((line) => line.includes('LAPTOP-1'));
  expect(rows).toHaveLength(2);
  expect(rows[0]).toMatch(/2026-11-23 12:00:01 │ LAPTOP-1 +│ run-1 │ queued/);
}, 20_000);

test('an export · is the bridge’s CSV · without a formula', async () => {
  const { code, stdout } = await deliveries('--status', 'queued', '--format', 'csv');
  expect(code).toBe(0);
  const lines = stdout.split('\r\n');
  expect(lines).toHaveLength(5);
  expect(lines[1]).toContain(`"'-LAPTOP","run-2"`);
}, 20_000);

test('neither device nor status · is wrong usage · and nothing is asked', async () => {
  const { code, stderr } = await deliveries();
  expect([code, stderr]).toEqual([64, 'which ones? give --device, --status, or both\n']);
}, 20_000);

test('what is not in the index · is added · beside the service, and found then', async () => {
  const { client } = bridge.redis;
  for (const key of await client.keys(`${bridge.queue.keys.root}:ix:*`)) await client.del(key);
  await client.hdel(bridge.queue.keys.counts, 'ix:new', 'ix:last');
  expect((await bridge.queue.deliveries.search('LAPTOP-1')).deliveries).toEqual([]);
  const env = { REDIS_URL: bridge.redis.url, DEVICE_GROUP_KEYS: Buffer.alloc(32, 1).toString('base64') };
  const { code, stdout } = await runCli(['deliveries', 'index'], { env });
  expect([code, stdout]).toEqual([
    0,
    'default: 3 deliveries, of which 3 were added to the index, and 0 were news of their device\n',
  ]);
  expect((await bridge.queue.deliveries.search('LAPTOP-1')).deliveries).toHaveLength(2);
}, 20_000);
