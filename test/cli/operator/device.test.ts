// `device`: operators revoke, list and restore from the command line.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runCli } from '../../support/cli.ts';
import { startApi, type TestProcess } from '../../support/process.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';

const OPERATOR_TOKEN = 'operators-of-the-device-command-test';

let redis: TestRedis;
let api: TestProcess;
let url: string;

beforeAll(async () => {
  redis = await startTestRedis();
  const DEVICE_GROUP_KEYS = Buffer.alloc(32, 'device').toString('base64');
  ({ api, url } = await startApi({ REDIS_URL: redis.url, DEVICE_GROUP_KEYS, OPERATOR_TOKEN }));
});
afterAll(async () => {
  await api.close();
  await redis.close();
});

const device = (...args: string[]) => runCli(['device', ...args, '--url', url], { env: { OPERATOR_TOKEN } });
const said = (stdout: string) => ({ code: 0, stderr: '', stdout });

test('a device · is revoked, listed and restored · each said in one line', async () => {
  expect(await device('list')).toEqual(said('No device is revoked.\n'));
  expect(await device('revoke', 'LAPTOP-0042')).toEqual(said('LAPTOP-0042 is revoked.\n'));
  expect(await device('revoke', 'LAPTOP-0042')).toEqual(said('LAPTOP-0042 was revoked already.\n'));
  expect((await device('list')).stdout).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z {2}LAPTOP-0042\n$/);
  expect(JSON.parse((await device('list', '--json')).stdout)).toMatchObject([{ deviceId: 'LAPTOP-0042' }]);
  expect(await device('restore', 'LAPTOP-0042')).toEqual(said('LAPTOP-0042 is restored.\n'));
  expect(await device('restore', 'LAPTOP-0042')).toEqual(said('LAPTOP-0042 was not revoked.\n'));
});

test.each([
  ['an id that is none', ['revoke', 'LAPTOP 0042'], 64, /^a device id is /],
  ['no id', ['restore'], 64, /missing required argument/],
])('%s · is wrong use · and says so', async (_what, args, code, complaint) => {
  expect(await device(...args)).toMatchObject({ code, stdout: '', stderr: expect.stringMatching(complaint) as string });
});

test('a wrong token · is refused · and no bridge is later', async () => {
  const env = { OPERATOR_TOKEN: 'another-operator-token-altogether-it-is' };
  expect(await runCli(['device', 'list', '--url', url], { env })).toMatchObject({ code: 65, stdout: '' });
  expect(await runCli(['device', 'list', '--url', 'http://localhost:1'], { env })).toMatchObject({ code: 75 });
});
