// The same run again: same content is the same delivery, other content is refused, however it is written and whenever it comes.
import { once } from 'node:events';
import { Agent, createServer } from 'node:http';
import request from 'supertest';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { conclude } from '../../support/conclude.ts';
import { begin, type Delivery, type Outcome } from '../../../src/domain/delivery.ts';
import { expectHeaders, expectProblem } from '../../support/answer.ts';
import { startTestApp, untilConnected, type TestApp } from '../../support/app.ts';
import { DEVICE_ID, OLD_GROUP_KEY, runResult, sign } from '../../support/device.ts';
import { FIRST_RECORDS } from '../../support/first-version.ts';
import { readRecord } from '../../support/stored.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { waitingJobs, WAITING_JOBS } from '../../support/jobs.ts';

let redis: TestRedis;
let world: TestApp;
let nowMs = Date.now();

beforeAll(async () => {
  redis = await startTestRedis();
  world = await startTestApp(redis, { clock: () => nowMs });
  await untilConnected(world);
});
afterEach(async () => {
  await redis.client.flushall();
});
afterAll(async () => {
  await world.close();
  await redis.close();
});

const submit = (body: string, signing: { deviceId?: string; groupKey?: string } = {}) =>
  request(world.app)
    .post('/v1/run-results')
    .set({ 'Content-Type': 'application/json', ...sign({ body, ...signing }) })
    .send(body);

type Receipt = { deliveryId: string; runId: string; status: string; duplicate: boolean; acceptedAt: string };

/** What stays the same of a receipt however often it is given; a forecast is made anew each time. */
function receiptOf({ body }: { body: unknown }): Receipt {
  const { expectedCreateAt, ...receipt } = body as Receipt & { expectedCreateAt: string | null };
  expect(expectedCreateAt === null || Date.parse(expectedCreateAt) > nowMs).toBe(true);
  return receipt;
}

const first = JSON.stringify(runResult());
const GRAPH = { status: 201, requestId: 'graph-1' };
const POLICY = { maxAgeMs: 1, lookAfterMs: 1, attemptTimeoutMs: 1, backoff: { baseMs: 1, capMs: 1 } };

/** Takes a delivery through one try, as a worker would. */
async function deliver(id: string, outcome: Outcome): Promise<Delivery> {
  const { deliveries } = world.tenant;
  const stored = await deliveries.load(id);
  if (!stored) throw new Error('there is no such delivery');
  const marked = await deliveries.save(stored, begin(stored.delivery, nowMs), { now: nowMs });
  if (marked.kind !== 'saved') throw new Error(marked.kind);
  const { delivery } = conclude({
    delivery: marked.stored.delivery,
    outcome,
    circumstances: { now: nowMs, random: 0, held: false },
    policy: POLICY,
  });
  expect((await deliveries.save(marked.stored, delivery, { now: nowMs })).kind).toBe('saved');
  return delivery;
}

const REJECTED = {
  kind: 'rejected',
  detail: 'no such configuration',
  graph: { status: 404, code: 'NotFound', requestId: 'graph-2' },
} as unknown as Outcome;

test.each<[string, string]>([
  ['byte by byte', first],
  ['with its members in another order', JSON.stringify(Object.fromEntries(Object.entries(runResult()).reverse()))],
  ['with other spacing', JSON.stringify(runResult(), null, 2)],
  ['with other escapes', first.replace('Ä', String.raw`\u00c4`)],
  ['with members nobody knows', JSON.stringify(runResult({ agentVersion: '9.1', nested: { a: 1 } }))],
  ['with a byte order mark', `\ufeff${first}`],
  ['with its configuration’s id in capitals', first.replace('0b7f0e7a-3f5e', '0B7F0E7A-3F5E')],
  ['with a number written otherwise', first.replace('"policyVersion":4', '"policyVersion":4.0e0')],
])('a known run %s · is answered with the same receipt · and is not stored again', async (_what, again) => {
  const accepted = receiptOf(await submit(first));
  const before = await world.counted('duplicate');
  nowMs += 1234;
  const answer = await submit(again);
  expect(answer.status).toBe(200);
  expect(receiptOf(answer)).toEqual({ ...accepted, duplicate: true });
  expect(answer.headers['location']).toBe(`/v1/deliveries/${accepted.deliveryId}`);
  expectHeaders(answer, ['location']);
  expect(await redis.client.hget('runstate:{default}:counts', 'queued')).toBe('1');
  expect(await waitingJobs(redis.client)).toEqual([accepted.deliveryId]);
  expect(await world.told(answer.headers['x-request-id'])).toMatchObject({
    msg: 'submission',
    status: 200,
    outcome: 'duplicate',
    code: 'duplicate',
    deliveryId: accepted.deliveryId,
  });
  expect(await world.counted('duplicate')).toBe(before + 1);
});

test.each(FIRST_RECORDS)(
  'a run that the first version stored, $what · sent again · is still known, and other content under its id is not',
  async ({ sent, plain }) => {
    const accepted = receiptOf(await submit(JSON.stringify(sent)));
    const key = `runstate:{default}:${accepted.deliveryId}`;
    const [header = '', ...rest] = ((await redis.client.get(key)) ?? '').split('\n');
    const fields = header.split(' ');
    await redis.client.set(key, [fields.with(5, plain).join(' '), ...rest].join('\n'));

    const again = await submit(JSON.stringify(sent));
    expect([again.status, receiptOf(again)]).toEqual([200, { ...accepted, duplicate: true }]);
    await expectReused(JSON.stringify({ ...sent, policyVersion: 5 }), accepted.deliveryId);
  },
);

test('a known run from an agent that was updated · is the same delivery · though it writes nulls and unsigned exit codes now', async () => {
  const accepted = receiptOf(await submit(JSON.stringify(runResult({ exitCode: -2_147_024_891 }))));
  const nulls = { osVersion: null, upn: null, state: null, error: null };
  const answer = await submit(JSON.stringify({ agent: '2', ...runResult({ ...nulls, exitCode: 2_147_942_405 }) }));
  expect(answer.status).toBe(200);
  expect(receiptOf(answer)).toEqual({ ...accepted, duplicate: true });
});

test('what is stored, masked by other rules since · a run sent again · is still known by what the device said', async () => {
  const secret = JSON.stringify(runResult({ output: 'cctk --setuppwd=Geheim1' }));
  const accepted = receiptOf(await submit(secret));
  const key = `runstate:{default}:${accepted.deliveryId}`;
  const record = (await redis.client.get(key)) ?? '';
  expect(record).toContain('--setuppwd=[masked]');
  await redis.client.set(key, record.replace('cctk --setuppwd=[masked]', '[all of it is masked]'));
  expect(receiptOf(await submit(secret))).toEqual({ ...accepted, duplicate: true });
  await expectReused(secret.replace('Geheim1', 'Geheim2'), accepted.deliveryId);
});

test('a known run under an older group key · is the same delivery · since the device is the same', async () => {
  const accepted = receiptOf(await submit(first));
  const answer = await submit(first, { groupKey: OLD_GROUP_KEY });
  expect(receiptOf(answer)).toEqual({ ...accepted, duplicate: true });
});

test('the same run id of another device · is another run · and accepted', async () => {
  await submit(first);
  const other = await submit(JSON.stringify(runResult({ deviceId: 'BER-LAT-0002' })), { deviceId: 'BER-LAT-0002' });
  expect(other.status).toBe(202);
  expect(await redis.client.hget('runstate:{default}:counts', 'queued')).toBe('2');
});

async function expectReused(body: string, deliveryId: string): Promise<void> {
  const before = await world.counted('run-id-reused');
  const stored = await readRecord(redis.client, deliveryId);
  const answer = await submit(body);
  const requestId = expectProblem(answer, {
    status: 409,
    code: 'run-id-reused',
    title: 'This run id was used for another result',
    detail: 'this device already used this runId for another result',
  });
  expect(await readRecord(redis.client, deliveryId)).toEqual(stored);
  expect(await world.told(requestId)).toMatchObject({
    msg: 'submission',
    status: 409,
    outcome: 'refused',
    code: 'run-id-reused',
    deviceId: DEVICE_ID,
  });
  expect(await world.counted('run-id-reused')).toBe(before + 1);
}

test.each<[string, Record<string, unknown>]>([
  ['exit code', { exitCode: 1 }],
  ['output', { output: 'Änderungen übernommen ' }],
  ['instant, by 100 ns', { completedAt: '2026-11-20T10:00:00.1234501+01:00' }],
  ['member more', { upn: '' }],
  ['member less', { output: undefined }],
])(
  'a known run id with another %s · is refused as run-id-reused · and what is stored stays',
  async (_what, changes) => {
    const { deliveryId } = receiptOf(await submit(first));
    await expectReused(JSON.stringify(runResult(changes)), deliveryId);
  },
);

test('a run that was delivered · is still known · by its content', async () => {
  const accepted = receiptOf(await submit(first));
  await deliver(accepted.deliveryId, { kind: 'created', deviceRunStateId: 'record-1', graph: GRAPH });
  const jobs = await waitingJobs(redis.client);

  const answer = await submit(first);
  expect(answer.status).toBe(200);
  expect(receiptOf(answer)).toEqual({ ...accepted, status: 'delivered', duplicate: true });
  await expectReused(JSON.stringify(runResult({ exitCode: 1 })), accepted.deliveryId);
  expect(await redis.client.hget('runstate:{default}:counts', 'delivered')).toBe('1');
  expect(await waitingJobs(redis.client)).toEqual(jobs);
});

test('a run that is dead · is still known · and says so', async () => {
  const accepted = receiptOf(await submit(first));
  expect((await deliver(accepted.deliveryId, REJECTED)).status).toBe('dead');
  const answer = await submit(first);
  expect(answer.status).toBe(200);
  expect(receiptOf(answer)).toEqual({ ...accepted, status: 'dead', duplicate: true });
});

test('a thousand copies in a race · are one delivery · accepted once and known 999 times', async () => {
  const server = createServer((req, res) => {
    world.app(req, res);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const agent = new Agent({ keepAlive: true, maxSockets: 200 });
  const before = { accepted: await world.counted('accepted'), duplicate: await world.counted('duplicate') };
  try {
    const headers = { 'Content-Type': 'application/json', ...sign({ body: first }) };
    const answers = await Promise.all(
      Array.from({ length: 1000 }, async () =>
        request(server).post('/v1/run-results').agent(agent).set(headers).send(first),
      ),
    );
    const byStatus = (status: number) => answers.filter((answer) => answer.status === status);
    expect([byStatus(202).length, byStatus(200).length]).toEqual([1, 999]);
    const receipts = answers.map(({ body }) => body as Receipt);
    expect(new Set(receipts.map(({ deliveryId, acceptedAt }) => `${deliveryId} ${acceptedAt}`)).size).toBe(1);
    expect(receipts.filter(({ duplicate }) => !duplicate)).toHaveLength(1);
    expect(await redis.client.hget('runstate:{default}:counts', 'queued')).toBe('1');
    expect(await redis.client.llen(WAITING_JOBS)).toBe(1);
    expect(await world.counted('accepted')).toBe(before.accepted + 1);
    expect(await world.counted('duplicate')).toBe(before.duplicate + 999);
  } finally {
    agent.destroy();
    server.close();
  }
});
