// Workers that drive a replay at a rate, in real time: who goes on after one is killed, what dies again, and what nobody can read.
import { randomBytes } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { toSecret } from '../../../src/config/secret.ts';
import { tenantHold } from '../../../src/domain/hold/hold.ts';
import type { Replay } from '../../../src/domain/replay/replay.ts';
import type { Deliver } from '../../../src/queue/worker/process-delivery.ts';
import { createEvents } from '../../../src/telemetry/events.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { startConsumer, type TestConsumer } from '../../support/consume.ts';
import { buryDeliveries } from '../../support/dead-letters.ts';
import { openFreshTenants } from '../../support/fresh-redis.ts';
import { failed, judge } from '../../support/hold.ts';
import { created, rejected } from '../../support/outcomes.ts';
import type { TestRedis } from '../../support/redis.ts';
import { aRun, openTestTenant, type OwnTenant } from '../../support/tenant.ts';
import { until } from '../../support/until.ts';

/** On a busy machine everything takes longer. */
const WAITED_FOR_MS = 20_000;

let redis: TestRedis;
let queue: OwnTenant;
let consumers: TestConsumer[] = [];
let ended: Replay[] = [];

openFreshTenants((opened) => {
  ({ redis, queue } = opened);
  ended = [];
});
afterEach(async () => {
  await Promise.all(consumers.map((consumer) => consumer.close()));
  consumers = [];
});

function work(
  deliver: Deliver = ({ id }) => Promise.resolve(created(`record-of-${id}`)),
  tenant = queue,
): TestConsumer {
  const events = {
    ...createEvents(createLog('worker', 'silent'), createMetrics()),
    replayEnded: (replay: Replay) => void ended.push(replay),
  };
  const consumer = startConsumer(tenant, { deliver, events });
  consumers.push(consumer);
  return consumer;
}

const bury = (count: number) => buryDeliveries({ redis, queue }, count, (number) => 1000 + number);

async function start(perSecond: number, tenant = queue): Promise<Replay> {
  const started = await tenant.replays.start({}, { perSecond, by: 'an-app' });
  if (started.kind !== 'started') throw new Error(started.kind);
  await tenant.wakeReplay();
  return started.replay;
}

const untilEnded = () => until('the replay has ended', () => ended[0] ?? null, WAITED_FOR_MS);
const read = async ({ id }: Replay) => (await queue.replays.find(id)) as Replay;

test('two workers · replay all that matched · in no less time than the rate allows, and say so once', async () => {
  await bury(21);
  work();
  work();
  const replay = await start(20);
  const { startedAt, endedAt, ...did } = await untilEnded();
  expect(did).toMatchObject({ id: replay.id, state: 'done', matched: 21, replayed: 21, skipped: 0, by: 'an-app' });
  // The first goes at once, and each of the others after a twentieth of a second.
  expect((endedAt ?? 0) - startedAt).toBeGreaterThanOrEqual(1000);
  await until('all are created', async () => (await queue.deliveries.counts()).delivered === 21, WAITED_FOR_MS);
  expect(ended).toHaveLength(1);
});

test('what dies again · is not replayed a second time · however long the replay goes on', async () => {
  const ids = await bury(12);
  work(() => Promise.resolve(rejected(404)));
  await start(20);
  expect(await untilEnded()).toMatchObject({ matched: 12, replayed: 12, skipped: 0 });
  await until('all are dead again', async () => (await queue.deliveries.counts()).dead === 12, WAITED_FOR_MS);
  const again = await queue.deliveries.findAll(ids);
  expect(again.map((delivery) => delivery?.attemptsMade)).toEqual(ids.map(() => 2));
});

test('a process that was killed with a slice · leaves it to another · which needs no job to notice', async () => {
  await bury(10);
  const started = await queue.replays.start({}, { perSecond: 1000, by: null });
  if (started.kind !== 'started') throw new Error(started.kind);
  const { id } = started.replay;
  await until('some are claimed', async () => {
    const claim = await queue.replays.claim(id, 'killed');
    return claim.kind === 'slice' && claim.ids.length > 5;
  });
  // As after the time for which its lease lasts.
  await redis.client.hset(queue.keys.replay(id).replay, 'leaseUntil', 1);
  work();
  expect(await untilEnded()).toMatchObject({ id, matched: 10, replayed: 10, skipped: 0 });
});

test('a worker that stops · lets another go on · at once and at the same rate', async () => {
  await bury(400);
  const first = work();
  const replay = await start(100);
  await until('it has begun', async () => (await read(replay)).replayed > 20, WAITED_FOR_MS);
  await first.close();
  consumers = [];
  const { replayed } = await read(replay);
  expect(replayed).toBeLessThan(400);
  work();
  const { startedAt, endedAt, ...did } = await untilEnded();
  expect(did).toMatchObject({ replayed: 400, skipped: 0 });
  expect((endedAt ?? 0) - startedAt).toBeGreaterThanOrEqual(3900);
});

test('paused, resumed and cancelled · is obeyed by the worker · which replays the rest of none', async () => {
  await bury(200);
  work();
  const replay = await start(50);
  await until('it has begun', async () => (await read(replay)).replayed > 5, WAITED_FOR_MS);
  await queue.replays.change(replay.id, 'pause');
  const paused = await read(replay);
  // The worker goes on with what was replayed already.
  await until('all it replayed are created', async () => {
    const { delivered } = await queue.deliveries.counts();
    return delivered === paused.replayed;
  });
  expect(await read(replay)).toEqual(paused);
  await queue.replays.change(replay.id, 'resume');
  await queue.wakeReplay();
  await until('it goes on', async () => (await read(replay)).replayed > paused.replayed, WAITED_FOR_MS);
  await queue.replays.change(replay.id, 'cancel');
  const { replayed } = await read(replay);
  expect(replayed).toBeLessThan(200);
  expect((await queue.deliveries.counts()).dead).toBe(200 - replayed);
  expect(ended).toEqual([]);
});

test('while Graph is held · nothing is put back beside what waits already · and then the replay goes on', async () => {
  await bury(30);
  await queue.deliveries.accept(aRun(99), Date.now());
  let [isDown, probes] = [true, 0];
  work(({ id }) => {
    if (!isDown) return Promise.resolve(created(`record-of-${id}`));
    probes += 1;
    return Promise.resolve(failed('forbidden'));
  });
  await until('Graph is held', async () => (await queue.budget.state()).holds.length > 0, WAITED_FOR_MS);
  const replay = await start(1000);
  const before = probes;
  await until('it was probed again', () => probes >= before + 3, WAITED_FOR_MS);
  expect(await read(replay)).toMatchObject({ state: 'running', replayed: 0 });
  isDown = false;
  expect(await untilEnded()).toMatchObject({ replayed: 30, skipped: 0 });
});

test('Graph is held and nothing waits · some are put back all the same · since only an attempt can end the hold', async () => {
  await bury(3);
  await judge(queue.budget, failed('forbidden'));
  expect(tenantHold((await queue.budget.state()).holds)).toMatchObject({ reason: 'forbidden' });
  work();
  await start(1000);
  expect(await untilEnded()).toMatchObject({ replayed: 3 });
  await until('all are created', async () => (await queue.deliveries.counts()).delivered === 3, WAITED_FOR_MS);
});

test('what no key opens, or is no record at all · is skipped · and stops nobody', async () => {
  const [old, current] = [toSecret(randomBytes(32).toString('base64')), toSecret(randomBytes(32).toString('base64'))];
  const before = await openTestTenant(redis, { payloadKeys: [old, current] });
  const after = await openTestTenant(redis, { payloadKeys: [current] });
  await buryDeliveries({ redis, queue: before }, 3, (number) => 1000 + number);
  const [sealed, broken] = (await before.deadLetters.list({}, 2, null)).deadLetters.map(({ id }) => id);
  const both = await openTestTenant(redis, { payloadKeys: [current, old] });
  const readable = (await both.deadLetters.list({}, 3, null)).deadLetters.at(-1)?.id ?? '';
  const stored = await both.deliveries.load(readable);
  if (!stored) throw new Error('it is gone');
  await both.deliveries.save(stored, stored.delivery, { now: 1000 });
  const replay = await start(1000, both);
  await redis.client.set(both.keys.delivery(broken ?? ''), 'no record');
  const consumer = work(undefined, after);
  expect(await untilEnded()).toMatchObject({ id: replay.id, matched: 3, replayed: 1, skipped: 2 });
  expect(await before.deliveries.find(sealed ?? '')).toMatchObject({ status: 'dead' });
  await consumer.close();
  consumers = [];
  await Promise.all([before.close(), after.close(), both.close()]);
});

test('tenants · have a replay each · which do not wait for each other', async () => {
  const other = await openTestTenant(redis, { id: 'fabrikam' });
  await bury(3);
  await buryDeliveries({ redis, queue: other }, 3, (number) => 1000 + number);
  work();
  const consumer = work(undefined, other);
  await start(0.01);
  const replay = await start(1000, other);
  expect(await untilEnded()).toMatchObject({ id: replay.id, tenantId: 'fabrikam', replayed: 3 });
  expect(await queue.replays.findOpen()).toMatchObject({ state: 'running' });
  await consumer.close();
  consumers = consumers.filter((one) => one !== consumer);
  await other.close();
});

test('a tenant without a replay · is asked by no command of its own · only with what is open', async () => {
  const monitor = await redis.client.monitor();
  const seen: string[] = [];
  const looks = () => seen.filter((command) => command.startsWith('hmget') && command.includes('replaying'));
  monitor.on('monitor', (_time: string, args: string[]) => void seen.push(args.join(' ')));
  work();
  await until('it was looked at', () => looks().length > 0, WAITED_FOR_MS);
  monitor.disconnect();
  const about = (command: string) => command.includes('replay') && !/^(?:hmget|script|eval )/i.test(command);
  expect(seen.filter(about)).toEqual([]);
});
