// `explain` against a real bridge: it says what the dashboard says, to the word.
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Tenant } from '../../../src/queue/tenant.ts';
import { holdAll, release } from '../../support/hold.ts';
import { startTestBridge, type TestBridge } from '../../support/bridge.ts';
import { runCli } from '../../support/cli.ts';
import { conclusionOf } from '../../support/outcomes.ts';
import { aRun } from '../../support/tenant.ts';

const OPERATOR_TOKEN = 'operators-of-the-explain-test-of-the-cli';
const operator = { env: { OPERATOR_TOKEN } };

let bridge: TestBridge;
let queue: Tenant;
let url: string;

beforeAll(async () => {
  bridge = await startTestBridge({
    OPERATOR_TOKEN,
    GRAPH_WRITES_PER_20S: '50',
  });
  ({ queue, url } = bridge);
});
afterAll(() => bridge.close());

async function accept(number: number): Promise<string> {
  const answer = await queue.deliveries.accept(aRun(number), Date.now());
  if (answer.kind !== 'accepted') throw new Error(answer.kind);
  return answer.delivery.id;
}

test('a delivery · by its id, or by device and run · is explained in words', async () => {
  const id = await accept(1);
  const byId = await runCli(['explain', id, '--url', url], operator);
  expect(byId.stdout).toMatch(
    new RegExp(
      `^Delivery ${id}\\nAccepted and stored; it waits for its turn\\.\\n\\nWhat happened\\n  .* UTC  accepted: run run-1 of device device-1, .*\\n\\nWaiting for  its turn: all workers together create 2\\.5 a second\\.\\n\\nWhat is next  When it is its turn`,
    ),
  );
  const byRun = await runCli(['explain', '--device', 'device-1', '--run', 'run-1', '--url', url], operator);
  expect([byId.code, byRun.code, byRun.stdout]).toEqual([0, 0, byId.stdout]);
}, 20_000);

test('a hold · is part of the explanation · in JSON with the delivery', async () => {
  const id = await accept(2);
  await holdAll(queue.budget, 'credential-refused', 'AADSTS7000222');
  const { code, stdout } = await runCli(['explain', id, '--url', url, '--json'], operator);
  await release(queue.budget);
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    delivery: { deliveryId: id, status: 'queued' },
    explanation: {
      waitingFor: 'the end of the hold “credential-refused”, which concerns every delivery',
      next: expect.stringContaining('Renew the secret or certificate') as string,
    },
  });
}, 20_000);

test('a delivery that waits · is shown with the time of its next try · as on the dashboard', async () => {
  const { id } = await conclusionOf({
    tenant: queue,
    run: aRun(4),
    outcome: { kind: 'uncertain', detail: '504', graph: { status: 504, requestId: 'req', code: null } },
    instants: { acceptedAt: Date.now(), now: Date.now() + 3_600_000 },
  });
  const { code, stdout } = await runCli(['explain', id, '--url', url, '--json'], operator);
  const page = await fetch(`${url}/dashboard/search.json?text=${id}`, {
    headers: { Authorization: `Bearer ${OPERATOR_TOKEN}` },
  });
  const { found } = (await page.json()) as { found: [{ explanation: object }] };
  const [{ explanation, ...delivery }] = found;
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toEqual({ delivery, explanation });
  expect(explanation).toMatchObject({
    waitingFor: expect.stringMatching(/^the time set for its next try, .* UTC \(in 60 min\)$/) as string,
    next: expect.stringContaining('look 1 of 3') as string,
  });
}, 20_000);

test('a throttle · is part of it · with its end', async () => {
  const id = await accept(3);
  await queue.budget.throttle({ kind: 'write', isProbe: false, retryAfterMs: 600_000, random: 0 });
  const { stdout } = await runCli(['explain', id, '--url', url], operator);
  expect(stdout).toMatch(/Waiting for {2}Graph’s throttling to pass, until .* UTC \(in 10 min\)\./);
}, 20_000);

test('no such delivery, none named, two ways at once, a wrong token · each its code', async () => {
  const unknown = await runCli(['explain', '--device', 'nobody', '--run', 'run-1', '--url', url], operator);
  expect([unknown.code, unknown.stderr]).toEqual([
    65,
    expect.stringMatching(/^there is no delivery d\S+: never accepted/),
  ]);
  expect((await runCli(['explain', '--url', url], operator)).code).toBe(64);
  expect((await runCli(['explain', '--device', 'device-1', '--url', url], operator)).code).toBe(64);
  expect((await runCli(['explain', 'dX', '--device', 'a', '--run', 'b', '--url', url], operator)).code).toBe(64);
  expect((await runCli(['explain', 'dX', '--url', url], { env: { OPERATOR_TOKEN: 'x'.repeat(40) } })).code).toBe(65);
}, 30_000);
