// `explain` against a real bridge, and what the API's words lose of a delivery on the way to it.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { toExplainable } from '../../src/cli/delivery-view.ts';
import { conclude } from '../../src/domain/conclusion.ts';
import { begin, supersede, type Delivery, type Outcome } from '../../src/domain/delivery.ts';
import { explain } from '../../src/domain/explain.ts';
import { toView } from '../../src/http/deliveries.ts';
import type { TenantQueue } from '../../src/queue/tenant.ts';
import { circumstances, delivery, now, policy } from '../domain/sample.ts';
import { runCli } from '../support/cli.ts';
import { GROUP_KEY } from '../support/device.ts';
import { startApi, type TestProcess } from '../support/process.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { aRun, openTestQueue } from '../support/tenant.ts';

const OPERATOR_TOKEN = 'operators-of-the-explain-test-of-the-cli';
const operator = { env: { OPERATOR_TOKEN } };

let redis: TestRedis;
let queue: TenantQueue;
let api: TestProcess;
let url: string;

beforeAll(async () => {
  redis = await startTestRedis();
  queue = await openTestQueue(redis);
  ({ api, url } = await startApi({
    REDIS_URL: redis.url,
    DEVICE_GROUP_KEYS: GROUP_KEY,
    OPERATOR_TOKEN,
    GRAPH_WRITES_PER_20S: '50',
  }));
});
afterAll(async () => {
  await api.close();
  await queue.close();
  await redis.close();
});

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
  await queue.budget.hold('credential-refused', 'AADSTS7000222', 'probe');
  const { code, stdout } = await runCli(['explain', id, '--url', url, '--json'], operator);
  await queue.budget.mended('credential-refused');
  expect(code).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    delivery: { deliveryId: id, status: 'queued' },
    explanation: {
      waitingFor: 'the end of the hold “credential-refused”, which concerns every delivery',
      next: expect.stringContaining('Renew the secret or certificate') as string,
    },
  });
}, 20_000);

test('a throttle · is part of it · with its end', async () => {
  const id = await accept(3);
  await queue.budget.throttle('write', false, 600_000, 0);
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

const graph = { status: 200, requestId: 'req' };
const created: Outcome = { kind: 'created', deviceRunStateId: 'state-1', graph };
const absent: Outcome = { kind: 'absent', graph };
const uncertain: Outcome = { kind: 'uncertain', detail: '504', graph: { ...graph, code: null } };
const notSent: Outcome = { kind: 'not-sent', upstream: 'graph', detail: 'ECONNREFUSED', graph: null };
const rejected: Outcome = { kind: 'rejected', status: 404, detail: '404', graph: { ...graph, code: null } };

const live = (...outcomes: Outcome[]) =>
  outcomes.reduce((before, outcome): Delivery => {
    const at = Math.max(before.dueAt, now);
    return conclude(begin(before, at), outcome, { ...circumstances, now: at + 10 }, policy).delivery;
  }, delivery());

test.each<[string, Delivery]>([
  ['accepted', live()],
  ['under way', begin(live(), now)],
  ['not sent', live(notSent)],
  ['uncertain', live(uncertain, absent)],
  ['looked for', begin(live(uncertain, absent, notSent), now + 99_000)],
  ['looked for in vain', live(uncertain, absent, absent, absent)],
  ['created again', begin(live(uncertain, absent, absent, absent), now + 999_000)],
  ['uncertain again', live(uncertain, absent, absent, absent, uncertain)],
  ['delivered', live(notSent, created)],
  ['dead', live(rejected)],
  ['superseded', supersede(live(), 'd-newer')],
])('%s · told by the API · is explained as the service would, but for when', (_, lived) => {
  const told = JSON.parse(JSON.stringify(toView(lived))) as ReturnType<typeof toView>;
  const surroundings = { now: now + 60_000, hold: null, throttle: null, writesPer20s: 100 };
  expect(explain(toExplainable(told), surroundings)).toEqual(explain({ ...lived, dueAt: null }, surroundings));
});
