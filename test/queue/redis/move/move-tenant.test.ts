// A tenant that is moved to another Redis: refused at the old one from one moment on, and complete at the new one.
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { begin } from '../../../../src/domain/delivery.ts';
import { createKeys } from '../../../../src/queue/redis/keys.ts';
import { cancelMove, finishMove } from '../../../../src/queue/redis/move/end-move.ts';
import { MoveRefused, openEnds } from '../../../../src/queue/redis/move/open-ends.ts';
import { findTenants } from '../../../../src/queue/redis/move/scan-keys.ts';
import { AnotherRun, TargetSetBack } from '../../../../src/queue/redis/move/writer.ts';
import { createEvents } from '../../../../src/telemetry/events.ts';
import { createLog } from '../../../../src/telemetry/log.ts';
import { createMetrics } from '../../../../src/telemetry/metrics.ts';
import { startConsumer, type TestConsumer } from '../../../support/consume.ts';
import { buryDeliveries } from '../../../support/dead-letters.ts';
import { moveHere, openEnd, QUIET, type OpenedEnd } from '../../../support/moving.ts';
import { created } from '../../../support/outcomes.ts';
import { startTestRedis, type TestRedis } from '../../../support/redis.ts';
import { aRun, healthOf, openTestTenant, type OwnTenant } from '../../../support/tenant.ts';
import { until } from '../../../support/until.ts';

const keys = createKeys('runstate', 'default');
const isMoved = expect.objectContaining({ name: 'LeftAlone', scope: 'tenant', reason: 'moved' }) as unknown;

let redis: { old: TestRedis; fresh: TestRedis };
let source: OpenedEnd;
let target: OpenedEnd;
let before: OwnTenant;
let after: OwnTenant;
const consumers: TestConsumer[] = [];

beforeAll(async () => {
  const [old, fresh] = await Promise.all([startTestRedis('--appendonly', 'no'), startTestRedis('--appendonly', 'no')]);
  redis = { old, fresh };
});
afterAll(() => Promise.all([redis.old.close(), redis.fresh.close()]));
beforeEach(async () => {
  await Promise.all([redis.old.client.flushall(), redis.fresh.client.flushall()]);
  source = await openEnd(redis.old.config, 'the old one');
  target = await openEnd(redis.fresh.config, 'the new one');
  before = await openTestTenant(redis.old);
  after = await openTestTenant(redis.fresh);
});
afterEach(async () => {
  await Promise.all(consumers.splice(0).map((consumer) => consumer.close()));
  await Promise.all([before, after, source, target].map((one) => one.close()));
});

async function accept(tenant: OwnTenant, number: number | string): Promise<string> {
  const accepted = await tenant.deliveries.accept(aRun(number), Date.now());
  if (accepted.kind === 'conflict') throw new Error(accepted.kind);
  return accepted.delivery.id;
}

type Deliver = Parameters<typeof startConsumer>[1]['deliver'];

/** @returns the ids of attempts, and the lines of the log */
function work(tenant: OwnTenant, deliver: Deliver = ({ id }) => Promise.resolve(created(`record-${id}`))) {
  const attempted: string[] = [];
  const lines: Record<string, unknown>[] = [];
  const write = (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>);
  const log = createLog('worker', 'warn', { write, flushSync: () => undefined, report: () => undefined });
  consumers.push(
    startConsumer(tenant, {
      events: createEvents(log, createMetrics()),
      deliver: (delivery, ...others) => {
        attempted.push(delivery.id);
        return deliver(delivery, ...others);
      },
    }),
  );
  return { attempted, lines };
}

const statusOf = async (tenant: OwnTenant, id: string) => (await tenant.deliveries.find(id))?.status;
const stateOf = ({ client }: TestRedis) => client.hget(keys.move, 'state');
const move = (parts: Partial<Parameters<typeof moveHere>[0]> = {}) => moveHere({ source, target, ...parts });

async function openThird(): Promise<{ third: TestRedis; elsewhere: OpenedEnd }> {
  const third = await startTestRedis('--appendonly', 'no');
  onTestFinished(third.close);
  const elsewhere = await openEnd(third.config, 'a third one');
  onTestFinished(elsewhere.close);
  return { third, elsewhere };
}

test('a tenant that is moved · is refused at the old Redis, and said not to be ready · and served by the new one', async () => {
  const id = await accept(before, 1);
  const [dead = ''] = await buryDeliveries({ redis: redis.old, queue: before }, 1, () => 1000);
  expect(await move()).toMatchObject({ kind: 'moved', deliveries: { queued: 1, dead: 1 } });
  await expect(accept(before, 2)).rejects.toEqual(isMoved);
  await expect(before.readSnapshot()).rejects.toEqual(isMoved);
  expect(await healthOf(before).readiness()).toMatchObject({
    status: 'failing',
    checks: { data: { ok: false, detail: 'left alone: the data has moved to the new one: point this process at it' } },
  });
  expect(await healthOf(after).readiness()).toMatchObject({ checks: { redis: { ok: true } } });
  expect(await accept(after, 1)).toBe(id);
  expect(await statusOf(after, dead)).toBe('dead');
  const other = await accept(after, 2);
  work(after);
  await until(
    'both are delivered',
    async () => (await statusOf(after, id)) === 'delivered' && (await statusOf(after, other)) === 'delivered',
    20_000,
  );
  expect(await redis.fresh.client.hmget(keys.counts, 'format', 'moved', 'draining')).toEqual([null, null, null]);
});

test('promoted deliveries and those put off · have no jobs at the new Redis · and are attempted there at once, or when they are due', async () => {
  const ids = await Promise.all([1, 2, 3].map((number) => accept(before, number)));
  const [first = ''] = ids;
  await until('all are promoted', async () => (await redis.old.client.zcard(keys.promoted)) === 3);
  await before.deliveries.putOff(first, 2500);
  await move();
  const movedAt = performance.now();
  const { attempted } = work(after);
  await until('two are attempted', () => attempted.length === 2, 4000);
  expect(attempted).not.toContain(first);
  await until('the third is', () => attempted.includes(first), 10_000);
  expect(performance.now() - movedAt).toBeLessThan(10_000);
}, 30_000);

test('a worker at the old Redis · leaves the tenant alone · and says once why', async () => {
  await accept(before, 1);
  await redis.old.client.hset(keys.counts, 'draining', Date.now() + 9000);
  const { attempted, lines } = work(before);
  await move();
  await until('it says so', () => lines.some(({ msg }) => msg === 'left alone: data that is moved to another Redis'));
  expect(attempted).toEqual([]);
  expect(lines.filter(({ msg }) => String(msg).startsWith('defect'))).toEqual([]);
  await until('the job is gone', async () => (await source.jobs.count()).active === 0);
});

test('a create under way · is waited for · and its outcome is moved', async () => {
  const id = await accept(before, 1);
  const answer = Promise.withResolvers<null>();
  const { attempted } = work(before, async (delivery) => {
    await answer.promise;
    return created(`record-${delivery.id}`);
  });
  await until('it is sent', () => attempted.length === 1);
  const later = await accept(before, 2);
  const said: number[] = [];
  const moving = move({ events: { ...QUIET, draining: (delivering) => void said.push(delivering) } });
  await until('no attempt begins any more', () => said.length > 0);
  const third = await accept(before, 3);
  answer.resolve(null);
  expect(await moving).toMatchObject({
    kind: 'moved',
    deliveries: { delivered: expect.any(Number) as number, delivering: 0 },
  });
  expect(await statusOf(after, id)).toBe('delivered');
  expect(attempted.filter((one) => one === third)).toEqual([]);
  work(after);
  for (const one of [later, third])
    await until('the others are delivered', async () => (await statusOf(after, one)) === 'delivered', 20_000);
});

test('an intent of a worker that knows nothing of draining · is not taken up · before its create can no longer arrive', async () => {
  const id = await accept(before, 1);
  const waits: number[] = [];
  let closedAt = Infinity;
  let intending = Promise.resolve();
  await move({
    events: {
      ...QUIET,
      closed: () => {
        closedAt = performance.now();
        intending = intend(id);
      },
      waiting: (_delivering, waitMs) => void waits.push(waitMs),
    },
  });
  await intending;
  expect(waits).toEqual([expect.toSatisfy((ms: number) => ms > 14_000 && ms <= 15_500)]);
  expect(performance.now() - closedAt).toBeGreaterThan(14_000);
  expect(await after.deliveries.find(id)).toMatchObject({ status: 'delivering', intent: { sends: 'create' } });

  /** As if it had been stored in the last moment before. */
  async function intend(deliveryId: string): Promise<void> {
    const stored = await before.deliveries.load(deliveryId);
    if (!stored) throw new Error('not stored');
    const open = redis.old.client.hdel(keys.counts, 'format');
    const saving = before.deliveries.save(stored, begin(stored.delivery, Date.now()), { now: Date.now() });
    await Promise.all([open, saving]);
    await redis.old.client.hset(keys.counts, 'format', 1_000_000);
  }
}, 60_000);

test('a run that dies while attempts are drained · keeps them back for ten seconds · and no longer', async () => {
  const id = await accept(before, 1);
  const diedAt = Date.now();
  await redis.old.client.hset(keys.counts, 'draining', diedAt + 4000);
  const { attempted } = work(before);
  await until('it is attempted after all', () => attempted.includes(id), 20_000);
  expect(Date.now() - diedAt).toBeGreaterThan(3900);
  await until('and delivered', async () => (await statusOf(before, id)) === 'delivered');
  // As of a clock that was ahead.
  await redis.old.client.hset(keys.counts, 'draining', Date.now() + 3_600_000);
  const other = await accept(before, 2);
  await until('the next one too', async () => (await statusOf(before, other)) === 'delivered', 10_000);
});

test('a Redis that has other data of the tenant · is refused · and both go on as they were', async () => {
  const id = await accept(before, 1);
  const other = await accept(after, 2);
  await expect(move()).rejects.toThrow(/already has data of tenant default/);
  expect(await stateOf(redis.old)).toBeNull();
  expect(await stateOf(redis.fresh)).toBeNull();
  expect([await accept(before, 1), await accept(after, 2)]).toEqual([id, other]);
});

test('what processes without deliveries leave · is no data · and is replaced', async () => {
  await after.facts.concern('another');
  await before.facts.concern('this');
  await accept(before, 1);
  await move();
  expect(await after.facts.subject()).toBe('this');
});

test('two addresses of one Redis · are refused · and nothing is changed', async () => {
  const id = await accept(before, 1);
  await expect(move({ target: { ...source, name: 'the same' } })).rejects.toThrow(/lead to the same Redis/);
  expect(await stateOf(redis.old)).toBeNull();
  expect(await accept(before, 1)).toBe(id);
});

test('a second run · is refused while the first works · and the first ends', async () => {
  await accept(before, 1);
  // It waits for an attempt.
  await redis.old.client.hset(keys.counts, 'delivering', '1');
  const draining = Promise.withResolvers<number>();
  const moving = move({ events: { ...QUIET, draining: draining.resolve } });
  expect(await draining.promise).toBe(1);
  await expect(move()).rejects.toThrow(AnotherRun);
  await redis.old.client.hset(keys.counts, 'delivering', '0');
  expect(await moving).toMatchObject({ kind: 'moved' });
  expect(await redis.old.client.exists(keys.moveLock)).toBe(0);
});

test('a move to a third Redis · is refused while one is under way · until that is cancelled', async () => {
  const { elsewhere } = await openThird();
  await accept(before, 1);
  expect(await move({ isPreparing: true })).toEqual({ kind: 'prepared' });
  await expect(move({ target: elsewhere })).rejects.toThrow(/a move to the new one is under way/);
  await cancelMove({ source, target, tenantId: 'default' });
  expect(await move({ target: elsewhere })).toMatchObject({ kind: 'moved' });
});

test('a run that stood still while its move was cancelled and another begun · takes no step of that one', async () => {
  await accept(before, 1);
  await move({ isPreparing: true });
  const { from } = openEnds({ source, target }, 'default');
  const old = await from.read();
  await cancelMove({ source, target, tenantId: 'default' });
  await move({ isPreparing: true });
  expect(await from.takeLock()).toBe(true);
  const step = { from: 'copying', to: 'draining', tenant: 'drain' } as const;
  expect(await from.change({ id: old?.id ?? null, ...step })).toBe(false);
  expect(await stateOf(redis.old)).toBe('copying');
  await from.releaseLock();
});

test('a target that another move fills · is refused · and that move goes on', async () => {
  const { third, elsewhere } = await openThird();
  const other = await openTestTenant(third);
  onTestFinished(other.close);
  await accept(other, 5);
  await accept(before, 1);
  await move({ isPreparing: true });
  await expect(move({ source: elsewhere })).rejects.toThrow(/is being filled by another move, from the old one/);
  await accept(other, 6);
  expect(await move()).toMatchObject({ kind: 'moved' });
});

test('a prepared target · serves nobody · until the move is done', async () => {
  const id = await accept(before, 1);
  await move({ isPreparing: true });
  await expect(accept(after, 2)).rejects.toEqual(isMoved);
  expect(await healthOf(after).readiness()).toMatchObject({
    status: 'failing',
    checks: { data: { detail: expect.stringContaining('is being moved here from the old one') as unknown } },
  });
  const other = await accept(before, 2);
  await move();
  expect([await accept(after, 1), await accept(after, 2)]).toEqual([id, other]);
});

test('a run after the end · changes nothing · and says where the data is', async () => {
  await accept(before, 1);
  await move();
  const content = await redis.fresh.client.dump(keys.counts);
  await accept(after, 2);
  expect(await move()).toMatchObject({ kind: 'moved-before', peer: 'the new one' });
  expect(await redis.fresh.client.dump(keys.counts)).not.toBe(content);
  expect(await after.deliveries.counts()).toMatchObject({ queued: 2 });
});

const STEPS = ['live pass', 'draining', 'closed', 'closed pass'] as const;

test.each(STEPS)('a run that ends at this step · %s · is continued by the next one', async (step) => {
  const ids = await Promise.all([1, 2, 3].map((number) => accept(before, number)));
  const stopping = new AbortController();
  const stopAt = (here: (typeof STEPS)[number]) => {
    if (here === step) stopping.abort(new Error('killed'));
  };
  const events = {
    passed: ({ isClosed }: { isClosed: boolean }) => stopAt(isClosed ? 'closed pass' : 'live pass'),
    draining: () => stopAt('draining'),
    closed: () => stopAt('closed'),
    waiting: () => undefined,
  };
  const first = await move({ signal: stopping.signal, events }).catch((error: unknown) => error);
  expect(first).toEqual(new Error('killed'));
  expect(await move()).toMatchObject({ kind: 'moved' });
  expect(await after.deliveries.counts()).toMatchObject({ queued: 3 });
  expect((await Promise.all([1, 2, 3].map((number) => accept(after, number)))).sort()).toEqual(ids.sort());
});

test('a run that was killed between the verification and the opening · is continued · and not cancelled without the target', async () => {
  await accept(before, 1);
  await moveUntilOpening();
  await expect(cancel(null)).rejects.toThrow(
    /the new one may be in use already: the move can be cancelled only where that answers/,
  );
  expect(await move()).toMatchObject({ kind: 'moved', deliveries: { queued: 1 } });
  await accept(after, 2);
});

test.each(['copying', 'draining', 'closed'])(
  'a move that is cancelled · while %s · leaves the source as it was, and the target closed',
  async (state) => {
    const id = await accept(before, 1);
    const stopping = new AbortController();
    const stopAt = (here: string) => {
      if (here === state) stopping.abort(new Error('killed'));
    };
    const events = {
      ...QUIET,
      passed: () => stopAt('copying'),
      draining: () => stopAt('draining'),
      closed: () => stopAt('closed'),
    };
    await redis.old.client.hset(keys.counts, 'delivering', state === 'draining' ? '1' : '0');
    await expect(move({ signal: stopping.signal, events })).rejects.toThrow('killed');
    await redis.old.client.hset(keys.counts, 'delivering', '0');
    expect(await stateOf(redis.old)).toBe(state);
    expect(await cancelMove({ source, target, tenantId: 'default' })).toMatchObject({ kind: 'cancelled' });
    expect(await cancelMove({ source, target, tenantId: 'default' })).toEqual({ kind: 'none' });
    expect(await redis.old.client.hmget(keys.counts, 'format', 'moved', 'draining')).toEqual([null, null, null]);
    expect(await accept(before, 1)).toBe(id);
    await expect(accept(after, 1)).rejects.toEqual(isMoved);
    expect((await redis.fresh.client.keys(`${keys.root}:*`)).filter((key) => !key.includes(':call:')).sort()).toEqual([
      keys.counts,
      keys.move,
    ]);
    work(before);
    await until('it is delivered after all', async () => (await statusOf(before, id)) === 'delivered', 30_000);
    expect(await move()).toMatchObject({ kind: 'moved', deliveries: { delivered: 1 } });
  },
  60_000,
);

/** Ends with the first live pass. */
async function moveHalf(): Promise<void> {
  const stopping = new AbortController();
  const events = { ...QUIET, passed: () => stopping.abort(new Error('killed')) };
  await expect(move({ signal: stopping.signal, events })).rejects.toThrow('killed');
}

/** As a target is before it is opened, or after a failover that lost that. */
async function forgetOpening(): Promise<void> {
  await redis.fresh.client.hset(keys.move, { state: 'copying', run: 'a dead one' });
  await redis.fresh.client.hset(keys.counts, { format: 1_000_000, moved: 'here' });
}

/** As a run leaves it that is killed before it opens the target. */
async function moveUntilOpening(): Promise<void> {
  await move();
  await redis.old.client.hset(keys.move, 'state', 'opening');
  await forgetOpening();
}

const finish = (there: OpenedEnd | null = null) => finishMove({ source, target: there, tenantId: 'default' });
const cancel = (there: OpenedEnd | null) => cancelMove({ source, target: there, tenantId: 'default' });

test('a move whose target is gone · is cancelled without it · and its copy is removed when the target is back', async () => {
  const id = await accept(before, 1);
  await moveHalf();
  expect(await cancel(null)).toEqual({ kind: 'cancelled', removed: 0, copy: 'left' });
  expect(await accept(before, 1)).toBe(id);
  await expect(move()).rejects.toThrow(/the new one still has the copy of a cancelled move: remove it with --cancel/);
  expect(await cancel(target)).toEqual({ kind: 'cleared', removed: expect.any(Number) as number });
  expect(await redis.fresh.client.exists(keys.delivery(id))).toBe(0);
  await expect(accept(after, 1)).rejects.toEqual(isMoved);
  expect(await cancel(target)).toEqual({ kind: 'none' });
  expect(await redis.old.client.exists(keys.pastMoves)).toBe(0);
  expect(await move()).toMatchObject({ kind: 'moved', deliveries: { queued: 1 } });
});

test('a copy that was left · is removed while another move is under way · and that one goes on', async () => {
  const { elsewhere } = await openThird();
  await accept(before, 1);
  await moveHalf();
  await cancel(null);
  expect(await move({ target: elsewhere, isPreparing: true })).toEqual({ kind: 'prepared' });
  expect(await cancel(target)).toMatchObject({ kind: 'cleared' });
  expect(await stateOf(redis.old)).toBe('copying');
  expect(await move({ target: elsewhere })).toMatchObject({ kind: 'moved', deliveries: { queued: 1 } });
  expect(await finish()).toBeGreaterThan(0);
});

test('a copy that was left, where the tenant’s own data is now · is not removed', async () => {
  await accept(before, 1);
  await moveHalf();
  await cancel(null);
  // Emptied by hand, and in use since.
  await redis.fresh.client.flushall();
  const id = await accept(after, 7);
  expect(await cancel(target)).toEqual({ kind: 'none' });
  expect(await accept(after, 7)).toBe(id);
});

test('a cancellation that names another Redis · is refused · and changes nothing', async () => {
  const { third, elsewhere } = await openThird();
  await accept(before, 1);
  await moveHalf();
  await expect(cancel(elsewhere)).rejects.toThrow(/the move is to the new one, and a third one knows nothing of it/);
  expect(await stateOf(redis.old)).toBe('copying');
  expect(await third.client.exists(keys.move, keys.counts)).toBe(0);
  await redis.fresh.client.flushall();
  expect(await cancel(target)).toEqual({ kind: 'cancelled', removed: 0, copy: 'nothing' });
});

test('a cancellation that finds another server by the target’s name · forgets no copy · which can still be removed', async () => {
  const { elsewhere } = await openThird();
  await accept(before, 1);
  await moveHalf();
  expect(await cancel({ ...elsewhere, name: 'the new one' })).toMatchObject({ copy: 'nothing' });
  expect(await cancel(target)).toEqual({ kind: 'cleared', removed: expect.any(Number) as number });
});

test('a move that is cancelled before it was known that the target is empty · leaves what the target has', async () => {
  await accept(before, 1);
  const id = await accept(after, 2);
  await closeUnconfirmed();
  expect(await cancel(target)).toEqual({ kind: 'cancelled', removed: 0, copy: 'nothing' });
  expect(await statusOf(after, id)).toBe('queued');
  expect(await stateOf(redis.old)).toBeNull();
});

test('a move that was verified, but not opened · is cancelled · and no run that stood still opens it', async () => {
  const id = await accept(before, 1);
  await moveUntilOpening();
  const { to } = openEnds({ source, target }, 'default');
  const { id: moveId = '' } = (await to.read()) ?? {};
  expect(await cancel(target)).toMatchObject({ kind: 'cancelled', copy: 'removed' });
  const opening = { format: '', mark: (await to.readMark()) ?? '', keys: 0, bytes: 0 };
  await expect(to.open(moveId, opening)).rejects.toThrow(AnotherRun);
  expect(await accept(before, 1)).toBe(id);
  await expect(accept(after, 1)).rejects.toEqual(isMoved);
});

test('a move that was verified, at a target that knows nothing of it · is not cancelled, as it may be another one', async () => {
  await accept(before, 1);
  await moveUntilOpening();
  await redis.fresh.client.flushall();
  await expect(cancel(target)).rejects.toThrow(/knows nothing of the move, though it was to be opened/);
  expect(await stateOf(redis.old)).toBe('opening');
});

test('a target that was set back after the move was done · gets the data again · and until then the old data is kept', async () => {
  const id = await accept(before, 1);
  await moveUntilOpening();
  await redis.old.client.hset(keys.move, 'state', 'done');
  await redis.fresh.client.del(keys.delivery(id));
  await expect(finish(target)).rejects.toThrow(/was moved to the new one, and the new one does not know of it/);
  const stopping = new AbortController();
  const killed = { ...QUIET, passed: () => stopping.abort(new Error('killed')) };
  await expect(move({ signal: stopping.signal, events: killed })).rejects.toThrow('killed');
  // Who was told once does not take the old one's word for it.
  await expect(finish()).rejects.toThrow(/has not ended yet/);
  expect(await move()).toMatchObject({ kind: 'moved' });
  expect(await statusOf(after, id)).toBe('queued');
  expect(await finish(target)).toBeGreaterThan(0);
});

test('a target that was set back, when the old data is being removed · gets nothing of what is left · and loses nothing', async () => {
  const id = await accept(before, 1);
  await move();
  const { standing: removing, wake } = await standStill(source, 'scan', (end) =>
    finishMove({ source: end, target: null, tenantId: 'default' }),
  );
  await forgetOpening();
  await expect(move()).rejects.toThrow(
    /the new one has forgotten that it was opened, and a part of the data was removed/,
  );
  wake();
  await removing.catch(() => undefined);
  expect(await redis.fresh.client.exists(keys.delivery(id))).toBe(1);
});

test('a target that knows nothing of the move that ended there · is not said to have the data', async () => {
  await accept(before, 1);
  await move();
  await redis.fresh.client.flushall();
  for (const state of ['removing', 'done']) {
    await redis.old.client.hset(keys.move, 'state', state);
    await expect(move()).rejects.toThrow(/was moved to the new one, which has forgotten that/);
  }
  await expect(finish(target)).rejects.toThrow(MoveRefused);
  // As documented for whoever knows that the target was not in use.
  await redis.old.client.hset(keys.move, 'state', 'closed');
  expect(await cancel(null)).toMatchObject({ kind: 'cancelled' });
  await accept(before, 2);
});

test('a target that is claimed by a run whose move was cancelled meanwhile · is given back', async () => {
  await accept(before, 1);
  await redis.old.client.hset(keys.move, { id: 'this', role: 'from', state: 'begun', peer: 'the new one' });
  const { standing, wake } = await standStill(target, 'hget', (end) => move({ target: end }));
  expect(await cancel(target)).toMatchObject({ copy: 'nothing' });
  await redis.old.client.set(keys.moveLock, 'another run', 'PX', 5000);
  wake();
  await expect(standing).rejects.toThrow(AnotherRun);
  await redis.old.client.del(keys.moveLock);
  expect(await stateOf(redis.fresh)).toBeNull();
  expect(await move()).toMatchObject({ kind: 'moved' });
});

test.each(['finished', 'cancelled'])(
  'a target that a %s move had closed · stays closed · if the next one is cancelled as it begins',
  async (state) => {
    await accept(before, 1);
    if (state === 'cancelled') {
      await move({ isPreparing: true });
      await cancel(target);
    } else {
      await move();
      await finish();
      [source, target] = [target, source];
      [before, after] = [after, before];
      [redis.old, redis.fresh] = [redis.fresh, redis.old];
    }
    // Ends the run when it looks for what the target took.
    let scans = 0;
    const failing = new Proxy(target.connection, {
      get: (connection, name) => {
        const member: unknown = Reflect.get(connection, name, connection);
        if (typeof member !== 'function') return member;
        if (name === 'scan' && (scans += 1) > 1) return () => Promise.reject(new Error('lost'));
        return member.bind(connection) as unknown;
      },
    });
    await expect(move({ target: { ...target, connection: failing } })).rejects.toThrow('lost');
    await expect(accept(after, 7)).rejects.toEqual(isMoved);
    expect(await cancel(target)).toEqual({ kind: 'cancelled', removed: 0, copy: 'nothing' });
    await expect(accept(after, 7)).rejects.toEqual(isMoved);
    expect(await move()).toMatchObject({ kind: 'moved', deliveries: { queued: 1 } });
  },
);

test('a tenant of which only a cancelled move is left · is found · so that its copy can be removed', async () => {
  await redis.old.client.hset(createKeys('runstate', 'idle').pastMoves, 'an id', 'left');
  expect(await findTenants(source.connection, 'runstate')).toEqual(['idle']);
});

test('a source that is as it was before its move began · is told that the target is in use', async () => {
  await accept(before, 1);
  await move();
  await redis.old.client.del(keys.move);
  await redis.old.client.hdel(keys.counts, 'format', 'moved');
  await expect(move()).rejects.toThrow(
    /the new one is in use: data of tenant default was moved there from the old one/,
  );
  await redis.old.client.hset(keys.pastMoves, (await redis.fresh.client.hget(keys.move, 'id')) ?? '', 'left');
  await expect(move()).rejects.toThrow(/the new one is in use/);
  await accept(after, 2);
});

/** A run on a connection where one command waits until it is woken, as if the process stood still before it; its lock has expired. */
async function standStill<T>(
  { connection, ...end }: OpenedEnd,
  command: 'hget' | 'scan',
  run: (end: OpenedEnd) => Promise<T>,
): Promise<{ standing: Promise<T>; wake: () => void }> {
  const reached = Promise.withResolvers<null>();
  const waking = Promise.withResolvers<null>();
  const stalled = new Proxy(connection, {
    get: (redis, name) => {
      const member: unknown = Reflect.get(redis, name, redis);
      if (typeof member !== 'function') return member;
      const call = member.bind(redis) as (...args: unknown[]) => unknown;
      if (name !== command) return call;
      return async (...args: unknown[]) => {
        reached.resolve(null);
        await waking.promise;
        return call(...args);
      };
    },
  });
  const standing = run({ ...end, connection: stalled });
  await reached.promise;
  await redis.old.client.del(keys.moveLock);
  return { standing, wake: () => waking.resolve(null) };
}

test('a run that stood still while its move was cancelled and another one ended · claims nothing · and the target serves on', async () => {
  await accept(before, 1);
  await moveHalf();
  const { standing, wake } = await standStill(target, 'hget', (end) => move({ target: end }));
  await cancel(target);
  await move();
  const id = await accept(after, 2);
  wake();
  await expect(standing).rejects.toThrow();
  expect(await statusOf(after, id)).toBe('queued');
  expect([await stateOf(redis.old), await stateOf(redis.fresh)]).toEqual(['done', 'opened']);
});

test('a run that stood still while another one ended the move · says that it was done before', async () => {
  await accept(before, 1);
  await moveHalf();
  const { standing, wake } = await standStill(target, 'hget', (end) => move({ target: end }));
  await move();
  wake();
  expect(await standing).toMatchObject({ kind: 'moved-before', peer: 'the new one' });
});

test('a run that stood still while its move was cancelled · does not revive it', async () => {
  await accept(before, 1);
  await moveHalf();
  const { standing, wake } = await standStill(target, 'hget', (end) => move({ target: end }));
  await cancel(target);
  wake();
  await expect(standing).rejects.toThrow(AnotherRun);
  expect(await move()).toMatchObject({ kind: 'moved' });
});

test('a cancellation that stood still while another one ended, and a move after it · removes nothing', async () => {
  await accept(before, 1);
  await moveHalf();
  const { standing, wake } = await standStill(target, 'scan', (end) => cancel(end));
  await cancel(target);
  await move();
  const id = await accept(after, 2);
  wake();
  await expect(standing).rejects.toThrow(AnotherRun);
  expect(await statusOf(after, id)).toBe('queued');
});

test('a removal of old data that stood still while another one ended, and the move back · removes nothing', async () => {
  const id = await accept(before, 1);
  await move();
  const { standing, wake } = await standStill(source, 'scan', (end) =>
    finishMove({ source: end, target: null, tenantId: 'default' }),
  );
  await finish();
  await moveHere({ source: target, target: source });
  wake();
  await expect(standing).rejects.toThrow(AnotherRun);
  expect(await statusOf(before, id)).toBe('queued');
  expect(await before.deliveries.counts()).toMatchObject({ queued: 1 });
});

test.each(['opening', 'closed'])(
  'a source that still is %s · while the target has moved on · knows that its move is done',
  async (state) => {
    const { elsewhere } = await openThird();
    await accept(before, 1);
    await move();
    await redis.old.client.hset(keys.move, 'state', state);
    expect(await moveHere({ source: target, target: elsewhere })).toMatchObject({ kind: 'moved' });
    await expect(cancel(target)).rejects.toThrow(/the data has moved to the new one/);
    await expect(finish()).rejects.toThrow(MoveRefused);
    expect(await move()).toMatchObject({ kind: 'moved' });
    expect(await stateOf(redis.old)).toBe('done');
    expect(await finish()).toBeGreaterThan(0);
  },
);

test('a source that forgot how far it had come · goes on · and takes its own copy for no other data', async () => {
  await accept(before, 1);
  const stopping = new AbortController();
  const events = { ...QUIET, draining: () => stopping.abort(new Error('killed')) };
  await expect(move({ signal: stopping.signal, events })).rejects.toThrow('killed');
  // As after a failover to a replica that had fallen behind.
  await redis.old.client.hset(keys.move, 'state', 'begun');
  await redis.old.client.hdel(keys.counts, 'draining');
  expect(await move()).toMatchObject({ kind: 'moved', deliveries: { queued: 1 } });
});

test('a move that has only begun · to another Redis · is refused', async () => {
  const { third, elsewhere } = await openThird();
  await accept(before, 1);
  await move({ isPreparing: true });
  await redis.old.client.hset(keys.move, 'state', 'begun');
  await expect(move({ target: elsewhere })).rejects.toThrow(/a move to the new one was begun/);
  expect(await third.client.exists(keys.move)).toBe(0);
  expect(await move()).toMatchObject({ kind: 'moved' });
});

test('a target that serves already · is left as it is by a cancellation · though the source forgot that it was opened', async () => {
  await accept(before, 1);
  await move();
  const id = await accept(after, 2);
  // As after a failover to a replica that had fallen behind.
  await redis.old.client.hset(keys.move, 'state', 'closed');
  await expect(cancelMove({ source, target, tenantId: 'default' })).rejects.toThrow(
    /the data has moved to the new one/,
  );
  expect(await accept(after, 2)).toBe(id);
  expect(await stateOf(redis.old)).toBe('closed');
  expect(await move()).toMatchObject({ kind: 'moved', keys: expect.toSatisfy((count: number) => count > 3) as number });
  expect(await stateOf(redis.old)).toBe('done');
  expect(await accept(after, 2)).toBe(id);
});

test.each(['begun', 'copying', 'draining'])(
  'a source that forgot being closed · when it was %s · is not copied over a target that serves already',
  async (state) => {
    await accept(before, 1);
    await move();
    const id = await accept(after, 2);
    await redis.old.client.hset(keys.move, 'state', state);
    await redis.old.client.hdel(keys.counts, 'format', 'moved');
    const other = await accept(before, 3);
    await expect(move()).rejects.toThrow(/the new one is in use, and the old one has forgotten/);
    expect(await stateOf(redis.old)).toBe(state);
    expect([await accept(after, 2), await accept(before, 3)]).toEqual([id, other]);
  },
);

test('a target that lost a part after it was verified · gets it from the next run · before it is opened', async () => {
  const id = await accept(before, 1);
  await moveUntilOpening();
  await redis.fresh.client.del(keys.delivery(id));
  expect(await move()).toMatchObject({ kind: 'moved', deliveries: { queued: 1 } });
  expect(await statusOf(after, id)).toBe('queued');
});

/** As it is when the target has just been claimed, a moment after it took a run result. */
async function closeUnconfirmed(): Promise<void> {
  await redis.old.client.hset(keys.move, { id: 'this', role: 'from', state: 'begun', peer: 'the new one' });
  await redis.fresh.client.hset(keys.move, { id: 'this', role: 'to', peer: 'the old one' });
  await forgetOpening();
}

test('a run that is killed while it looks for what the target took · is continued by one that looks again', async () => {
  await accept(before, 1);
  const id = await accept(after, 2);
  await closeUnconfirmed();
  await expect(move()).rejects.toThrow(/already has data of tenant default/);
  expect(await accept(after, 2)).toBe(id);
});

/** As after a failover to a replica that lacks the last writes. */
async function setTargetBack(id: string): Promise<void> {
  await redis.fresh.client.hset(keys.move, 'mark', 'an earlier one');
  await redis.fresh.client.del(keys.delivery(id));
}

test('a target that is set back during the last pass · is compared once more', async () => {
  const id = await accept(before, 1);
  const closedPasses: number[] = [];
  const passed = async ({ isClosed, written, removed }: { isClosed: boolean; written: number; removed: number }) => {
    if (!isClosed) return;
    closedPasses.push(written + removed);
    if (closedPasses.length === 1) await setTargetBack(id);
  };
  expect(await move({ events: { ...QUIET, passed: (pass) => void passed(pass) } })).toMatchObject({ kind: 'moved' });
  expect(closedPasses).toEqual([0, 1, 0]);
  expect(await statusOf(after, id)).toBe('queued');
});

test('a target that is set back after the last pass · is not opened · before the next run has compared it again', async () => {
  const id = await accept(before, 1);
  const waiting = async () => {
    await redis.old.client.hset(keys.counts, 'delivering', '0');
    await setTargetBack(id);
  };
  const events = {
    ...QUIET,
    closed: () => void redis.old.client.hset(keys.counts, 'delivering', '1'),
    waiting: () => void waiting(),
  };
  await expect(move({ events })).rejects.toThrow(TargetSetBack);
  expect(await stateOf(redis.old)).toBe('closed');
  await expect(accept(after, 2)).rejects.toEqual(isMoved);
  expect(await move()).toMatchObject({ kind: 'moved' });
  expect(await statusOf(after, id)).toBe('queued');
}, 60_000);

test('a target that is set back during each pass · ends the run · which blames no writer', async () => {
  const id = await accept(before, 1);
  const passed = ({ isClosed }: { isClosed: boolean }) => {
    if (isClosed) void setTargetBack(id);
  };
  await expect(move({ events: { ...QUIET, passed } })).rejects.toThrow(TargetSetBack);
  expect(await move()).toMatchObject({ kind: 'moved' });
});

test('the old data · is removed when the move is finished · and who points there still serves nobody', async () => {
  await accept(before, 1);
  await expect(finish()).rejects.toThrow(/is done/);
  await move();
  expect(await finish()).toBeGreaterThan(3);
  expect(await finish()).toBe(0);
  expect((await redis.old.client.keys(`${keys.root}:*`)).sort()).toEqual([keys.counts, keys.move]);
  await expect(accept(before, 2)).rejects.toEqual(isMoved);
  expect(await move()).toMatchObject({ kind: 'moved-before' });
});

test('the way back · is the same · once the old data is removed', async () => {
  await accept(before, 1);
  await move();
  await accept(after, 2);
  const back = () => moveHere({ source: target, target: source });
  await expect(back()).rejects.toThrow(/still has the data of an earlier move/);
  await finish();
  expect(await back()).toMatchObject({ kind: 'moved', deliveries: { queued: 2 } });
  await accept(before, 3);
  await expect(accept(after, 3)).rejects.toEqual(isMoved);
});

test('devices that are revoked · stay so at the new Redis · also for a process that read the list while it was copied', async () => {
  const { openRevocations } = await import('../../../../src/queue/devices/revocations.ts');
  await accept(before, 1);
  const old = await openRevocations(before.redis, keys, () => undefined);
  onTestFinished(old.close);
  await old.revoke('device-9', 1);
  await redis.fresh.client.hset(keys.revoked, '#', '1');
  const fresh = await openRevocations(after.redis, keys, () => undefined);
  onTestFinished(fresh.close);
  await redis.fresh.client.del(keys.revoked);
  await move();
  await until('it knows', () => fresh.isRevoked('device-9'));
});

test('what operators were told · is known at the new Redis · so that they are not told again', async () => {
  await accept(before, 1);
  await redis.old.client.hset('runstate:{_announcements}:announced', 'default', '{"told":1}');
  await move();
  expect(await redis.fresh.client.hget('runstate:{_announcements}:announced', 'default')).toBe('{"told":1}');
});
