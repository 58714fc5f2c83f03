// `device`: operators revoke, list and restore from the command line.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestBridge, type TestBridge } from '../../support/bridge.ts';
import { runCli } from '../../support/cli.ts';
import { runResult, sign } from '../../support/device.ts';

const OPERATOR_TOKEN = 'operators-of-the-device-command-test';

let bridge: TestBridge;
let url: string;

beforeAll(async () => {
  bridge = await startTestBridge({ OPERATOR_TOKEN });
  ({ url } = bridge);
});
afterAll(() => bridge.close());

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
}, 60_000);

test('a retired device · is no longer among the silent · and its delivery stays', async () => {
  const body = JSON.stringify(runResult({ deviceId: 'LAPTOP-0043', runId: 'its-last' }));
  const headers = { 'Content-Type': 'application/json', ...sign({ deviceId: 'LAPTOP-0043', body }) };
  const accepted = await fetch(`${url}/v1/run-results`, { method: 'POST', headers, body });
  expect(accepted.status).toBe(202);
  const silent = () => device('silent', '--for', '0.000001');
  expect((await silent()).stdout).toContain('LAPTOP-0043');
  expect(await device('retire', 'LAPTOP-0043')).toEqual(said('What LAPTOP-0043 reported is forgotten.\n'));
  expect((await silent()).stdout).not.toContain('LAPTOP-0043');
  expect(await device('retire', 'LAPTOP-0043')).toEqual(said('LAPTOP-0043 has not reported.\n'));
  expect(
    (await runCli(['deliveries', '--device', 'LAPTOP-0043', '--url', url], { env: { OPERATOR_TOKEN } })).stdout,
  ).toContain('LAPTOP-0043');
}, 60_000);

test('a device without a directory · is forgotten · and nobody is asked', async () => {
  const said = 'Nothing was remembered about LAPTOP-0042; the directory is not asked now.\n';
  expect(await device('forget', 'LAPTOP-0042')).toEqual({ code: 0, stderr: '', stdout: said });
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
