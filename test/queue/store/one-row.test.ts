// A Graph that keeps one row per device: every run is delivered at once, and the earlier ones say that theirs was replaced.
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Delivery, Outcome } from '../../../src/domain/delivery.ts';
import { createEvents } from '../../../src/telemetry/events.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { createClaimable } from '../../../src/queue/store/claimable.ts';
import { startConsumer, type TestConsumer } from '../../support/consume.ts';
import { passTime } from '../../support/pass-time.ts';
import { createDeliver } from '../../../workers/deliver.ts';
import { openFreshTenants } from '../../support/fresh-redis.ts';
import type { TestRedis } from '../../support/redis.ts';
import { aRun, POLICY, type OwnTenant } from '../../support/tenant.ts';
import { until } from '../../support/until.ts';

let redis: TestRedis;
let queue: OwnTenant;
let consumer: TestConsumer;
/** By device name: what its row says. */
let rows: Map<string, string>;
let creates: number;
/** Creates whose answer is lost after they were carried out. */
let lost: Set<string>;

const KEPT_MS = 1_800_000;
openFreshTenants((opened) => void ({ redis, queue } = opened), { deliveredKeptMs: KEPT_MS });
beforeEach(() => {
  [rows, creates, lost] = [new Map<string, string>(), 0, new Set()];
  consumer = startConsumer(queue, {
    deliver: createDeliver({
      create: ({ deviceName, configurationOutput = '' }) => {
        creates += 1;
        rows.set(deviceName, configurationOutput);
        if (lost.delete(configurationOutput)) return Promise.resolve({ kind: 'uncertain', detail: '504', graph: null });
        return Promise.resolve(created(`row-${deviceName}`));
      },
      find: ({ deviceName, configurationOutput }) =>
        Promise.resolve({
          kind: 'records',
          ids: rows.get(deviceName) === configurationOutput ? [`row-${deviceName}`] : [],
          requestId: 'q',
        }),
      claimable: createClaimable(queue),
    }),
    events: createEvents(createLog('worker', 'silent'), createMetrics()),
    policy: POLICY,
    concurrency: 10,
    clock: queue.clock.now,
    random: () => 0.5,
  });
});
afterEach(async () => {
  await consumer.close();
});

const created = (deviceRunStateId: string): Outcome => ({
  kind: 'created',
  deviceRunStateId,
  graph: { status: 201, requestId: 'q' },
});

async function accept(name: string): Promise<string> {
  const run = aRun(name, { deviceId: 'device', deviceName: 'PC', output: name });
  const accepted = await queue.deliveries.accept(run, queue.clock.now());
  if (accepted.kind !== 'accepted') throw new Error(accepted.kind);
  return accepted.delivery.id;
}

const delivered = (id: string): Promise<Delivery> =>
  until('it is delivered', async () => {
    const delivery = await queue.deliveries.find(id);
    return delivery?.status === 'delivered' ? delivery : null;
  });
const notesOf = async (id: string) => (await queue.deliveries.find(id))?.notes ?? [];

test('three runs of one device · are each created once · and each but the last says which one replaced it', async () => {
  const first = await accept('first');
  expect(await delivered(first)).toMatchObject({ deviceRunStateId: 'row-PC', notes: [] });
  expect((await queue.facts.read()).oneRowPerDevice).toBeNull();
  const second = await accept('second');
  expect(await delivered(second)).toMatchObject({ deviceRunStateId: 'row-PC', attemptsMade: 1, notes: [] });
  const third = await accept('third');
  await delivered(third);
  expect(creates).toBe(3);
  expect(await notesOf(first)).toMatchObject([{ code: 'record-replaced', by: second }]);
  expect(await notesOf(second)).toMatchObject([{ code: 'record-replaced', by: third }]);
  expect(await notesOf(third)).toEqual([]);
  expect(await queue.deliveries.findOwner('row-PC')).toMatchObject({ id: third });
  expect(Math.abs(((await queue.facts.read()).oneRowPerDevice?.at ?? 0) - queue.clock.now())).toBeLessThan(60_000);
});

test('a create whose answer was lost · before it is known that rows are replaced · is created once more and no more', async () => {
  const first = await accept('first');
  await delivered(first);
  lost.add('second');
  const second = await accept('second');
  await delivered(second);
  expect(creates).toBe(3);
  expect(await notesOf(first)).toMatchObject([{ code: 'record-replaced', by: second }]);
});

test('a create whose answer was lost · where rows are known to be replaced · is found in the row that says what it said', async () => {
  await queue.facts.note('oneRowPerDevice', { holds: true, at: 1 });
  const first = await accept('first');
  await delivered(first);
  lost.add('second');
  const second = await accept('second');
  expect((await delivered(second)).attempts.map(({ outcome }) => outcome)).toEqual(['uncertain', 'found']);
  expect(creates).toBe(2);
  expect(await notesOf(first)).toMatchObject([{ code: 'record-replaced', by: second }]);
});

test('the owner of the row · known no more · stands in nobody’s way', async () => {
  const first = await accept('first');
  await delivered(first);
  await redis.client.del(queue.keys.delivery(first));
  const second = await accept('second');
  expect(await delivered(second)).toMatchObject({ attemptsMade: 1 });
});

test('the owner of the row · compacted · gives it up to a run created later · and it is known that rows are replaced', async () => {
  await delivered(await accept('first'));
  await passTime(redis.client, queue.keys, KEPT_MS);
  const second = await accept('second');
  expect(await delivered(second)).toMatchObject({ deviceRunStateId: 'row-PC', attemptsMade: 1 });
  expect((await queue.facts.read()).oneRowPerDevice).toMatchObject({ holds: true });
  expect(await queue.deliveries.findOwner('row-PC')).toMatchObject({ id: second });
});

test('the owner of the row · compacted · is not taken for a run whose create was lost · which is created once more', async () => {
  await delivered(await accept('same'));
  await passTime(redis.client, queue.keys, KEPT_MS);
  lost.add('same');
  const run = aRun('twin', { deviceId: 'twin', deviceName: 'PC', output: 'same' });
  const twin = await queue.deliveries.accept(run, queue.clock.now());
  if (twin.kind !== 'accepted') throw new Error(twin.kind);
  expect((await delivered(twin.delivery.id)).attempts.map(({ outcome }) => outcome)).toEqual([
    'uncertain',
    'absent',
    'absent',
    'absent',
    'created',
  ]);
  expect(creates).toBe(3);
});
