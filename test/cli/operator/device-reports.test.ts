// `device last`, `silent` and `failing`: what devices reported last, on the command line.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startTestBridge, type TestBridge } from '../../support/bridge.ts';
import { runCli } from '../../support/cli.ts';
import { aRun } from '../../support/tenant.ts';

const OPERATOR_TOKEN = 'operators-of-the-device-reports-test';
const HOUR_MS = 3_600_000;

let bridge: TestBridge;
let now: number;
const directory = mkdtempSync(join(tmpdir(), 'runstate-devices-'));

beforeAll(async () => {
  bridge = await startTestBridge({ OPERATOR_TOKEN });
  now = bridge.queue.clock.now();
  for (const [run, hoursAgo] of [60, 50, 49].entries())
    await bridge.queue.deliveries.accept(
      aRun(run, { deviceId: 'LAPTOP-1', deviceName: 'BER-1', state: 'fail' }),
      now - hoursAgo * HOUR_MS,
    );
  await bridge.queue.deliveries.accept(aRun(9, { deviceId: 'LAPTOP-2' }), now);
});
afterAll(async () => {
  rmSync(directory, { recursive: true, force: true });
  await bridge.close();
});

const device = (...args: string[]) => runCli(['device', ...args, '--url', bridge.url], { env: { OPERATOR_TOKEN } });

function write(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

test('what each device reported last · is a table · the newest first', async () => {
  const { code, stdout } = await device('last');
  expect(code).toBe(0);
  const rows = stdout.split('\n').filter((line) => line.includes('LAPTOP'));
  expect(rows[0]).toMatch(/LAPTOP-2 │ PC-9 +│ success +│ queued/);
  expect(rows[1]).toMatch(/LAPTOP-1 │ BER-1 │ fail \(3 in a row\) │ queued/);
}, 20_000);

test('devices of any configuration · are listed with it · and without it where only one was asked for', async () => {
  const { hardwareConfigurationId } = aRun(1);
  expect((await device('failing')).stdout).toContain(`│ ${hardwareConfigurationId} │`);
  const { stdout } = await device('failing', '--configuration', hardwareConfigurationId);
  expect(stdout).toContain('LAPTOP-1');
  expect(stdout).not.toContain(hardwareConfigurationId);
}, 20_000);

test('a device nobody knows · has not reported · by its name', async () => {
  expect((await device('last', '--device', 'LAPTOP-9')).stdout).toBe('LAPTOP-9 has not reported.\n');
}, 20_000);

test('silent and failing devices · are those that are · else one line says so', async () => {
  expect(JSON.parse((await device('silent', '--json')).stdout)).toMatchObject([{ deviceId: 'LAPTOP-1' }]);
  expect((await device('silent', '--for', '99.5')).stdout).toBe('No device has been silent for 99.5 h or longer.\n');
  expect((await device('failing', '--format', 'csv')).stdout).toMatch(/\r\n"LAPTOP-1","BER-1",.*,"fail","3",/);
  expect((await device('failing', '--runs', '4')).stdout).toBe('No device has failed 4 times in a row.\n');
}, 20_000);

test('a list of expected devices · those that never reported and those that are silent · are named', async () => {
  const file = write(
    'expected.csv',
    '\uFEFFDevice ID,Owner\r\n# Berlin\r\n"LAPTOP-1",a\r\nLAPTOP-2,b\r\n\r\nLAPTOP-3;c\r\n',
  );
  const { code, stdout } = await device('silent', '--expected', file);
  expect(code).toBe(0);
  const at = new Date(now - 49 * HOUR_MS).toISOString();
  expect(stdout).toBe(
    `1 of 3 expected devices never reported:\n  LAPTOP-3\n1 reported before, but not within 24 h:\n  LAPTOP-1  ${at}\n`,
  );
  const many = write('many.txt', Array.from({ length: 2500 }, (_, index) => `LAPTOP-${index}`).join('\n'));
  const answer = JSON.parse((await device('silent', '--expected', many, '--json')).stdout) as object;
  expect(answer).toMatchObject({ neverReported: { length: 2498 }, silent: [{ deviceId: 'LAPTOP-1' }] });
}, 20_000);

test.each([
  ['a list with other lines', 'LAPTOP-1\nno id\n\nä\n', [], /bad\.txt: no device id in line 2, 4; it is 1 to 128 of/],
  ['an empty list', '\n# none\n', [], /bad\.txt has no device id/],
  ['a list and a format', 'LAPTOP-1', ['--format', 'csv'], /--expected goes with neither/],
])('%s · is wrong use · and says why', async (_what, text, args, complaint) => {
  const answer = await device('silent', '--expected', write('bad.txt', text), ...args);
  expect(answer).toMatchObject({ code: 64, stdout: '', stderr: expect.stringMatching(complaint) as string });
});

test('a list that is not there, hours that are none · are wrong use · and say why', async () => {
  expect(await device('silent', '--expected', '/no/such/file')).toMatchObject({ code: 64, stdout: '' });
  expect(await device('silent', '--for', '0')).toMatchObject({ code: 64, stdout: '' });
}, 20_000);
