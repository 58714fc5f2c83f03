// `summaries` against a real bridge: a table, JSON, an export, and what is not a day.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { SummaryView } from '../../../src/http/response/response-schemas.ts';
import { startTestBridge, type TestBridge } from '../../support/bridge.ts';
import { runCli } from '../../support/cli.ts';
import { conclusionOf, created } from '../../support/outcomes.ts';
import { aRun } from '../../support/tenant.ts';

const OPERATOR_TOKEN = 'operators-of-the-summaries-test-of-cli';
const operator = { env: { OPERATOR_TOKEN } };
const ACCEPTED_AT = Date.now() - 86_400_000;
const DAY = new Date(ACCEPTED_AT).toISOString().slice(0, 10);
const { hardwareConfigurationId } = aRun(0);
const OTHER = '99999999-2222-4333-8444-555555555555';

let bridge: TestBridge;

beforeAll(async () => {
  bridge = await startTestBridge({ OPERATOR_TOKEN });
  await conclusionOf({
    tenant: bridge.queue,
    run: aRun(1),
    outcome: created('record-1'),
    instants: { acceptedAt: ACCEPTED_AT, now: ACCEPTED_AT + 400 },
  });
  await bridge.queue.deliveries.accept(aRun(2, { exitCode: 5 }), ACCEPTED_AT);
  await bridge.queue.deliveries.accept(aRun(3, { hardwareConfigurationId: OTHER }), ACCEPTED_AT);
});
afterAll(() => bridge.close());

const summaries = (...args: string[]) => runCli(['summaries', '--url', bridge.url, ...args], operator);

test('without options · are a table of the last days · by configuration', async () => {
  const { code, stdout } = await summaries();
  expect(code).toBe(0);
  const rows = stdout.split('\n').filter((line) => line.includes(DAY));
  expect(rows.map((row) => row.split('│').map((cell) => cell.trim()))).toEqual([
    ['', DAY, hardwareConfigurationId, '2', '1', '1', '0', '0', '1', '0.436', '0.436', ''],
    ['', DAY, OTHER, '1', '1', '0', '0', '0', '1', '–', '–', ''],
  ]);
}, 20_000);

test('of one configuration, as JSON · are as the API has them · whole', async () => {
  const { code, stdout } = await summaries('--configuration', OTHER, '--from', DAY, '--to', DAY, '--json');
  expect(code).toBe(0);
  expect(JSON.parse(stdout) as SummaryView[]).toMatchObject([
    { tenant: 'default', day: DAY, hardwareConfigurationId: OTHER, states: { success: 1, fail: 0 } },
  ]);
}, 20_000);

test('an export · is the bridge’s CSV · a line each', async () => {
  const { code, stdout } = await summaries('--format', 'csv');
  expect([code, stdout.split('\r\n').length]).toEqual([0, 4]);
}, 20_000);

test('a time in which nothing was accepted · is said in words · and is no fault', async () => {
  const { code, stdout } = await summaries('--to', '2020-01-31');
  expect([code, stdout]).toEqual([0, 'Nothing was accepted in that time.\n']);
}, 20_000);

test('what is not a day · is refused by the bridge · with exit code 65', async () => {
  const { code, stderr } = await summaries('--from', 'yesterday');
  expect([code, stderr]).toEqual([65, 'refused: 422 invalid-request see errors\n']);
}, 20_000);
