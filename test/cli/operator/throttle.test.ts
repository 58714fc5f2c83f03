// `throttle end` against a running bridge: shown and asked first, ended for every worker, with a line for the audit.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Tenant } from '../../../src/queue/tenant.ts';
import { startTestBridge, type TestBridge } from '../../support/bridge.ts';
import { runCli } from '../../support/cli.ts';

const OPERATOR_TOKEN = 'an-operator-token-of-32-characters-or-more';
const operator = { env: { OPERATOR_TOKEN } };
/** An instant in seconds, where seconds to wait belong. */
const EPOCH_MS = 1_795_000_000_000;

let bridge: TestBridge;
let queue: Tenant;
let url: string;

beforeAll(async () => {
  bridge = await startTestBridge({ OPERATOR_TOKEN });
  ({ queue, url } = bridge);
});
afterAll(() => bridge.close());

const isThrottled = async () => (await queue.budget.state()).throttle !== null;

test('a Retry-After of years · is shown, asked about, and ended · by nobody but an operator', async () => {
  await queue.budget.throttle({ kind: 'write', isProbe: false, retryAfterMs: EPOCH_MS, random: 0 });
  const asked = await runCli(['throttle', 'end', '--url', url], operator);
  expect([asked.code, await isThrottled()]).toEqual([64, true]);
  expect(asked.stdout).toContain('default: Graph said not before 208');
  const unknown = await runCli(['throttle', 'end', '--yes', '--url', url], { env: { OPERATOR_TOKEN: 'x'.repeat(40) } });
  expect([unknown.code, await isThrottled()]).toEqual([65, true]);
  const done = await runCli(['throttle', 'end', '--yes', '--url', url], operator);
  expect([done.code, await isThrottled()]).toEqual([0, false]);
  expect(done.stdout).toContain('Ended.');
  expect(await bridge.api.line('throttle ended by an operator')).toMatchObject({
    until: expect.stringMatching(/^208\d-/) as string,
    requestId: expect.any(String) as string,
  });
  const again = await runCli(['throttle', 'end', '--yes', '--url', url], operator);
  expect([again.code, again.stdout.trim()]).toEqual([0, 'Nothing is throttled.']);
}, 30_000);
