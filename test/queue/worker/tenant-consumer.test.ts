// The consumer on a real queue with scripted attempts: what each outcome makes of a delivery, and of everyone.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { begin, type Delivery, type Outcome } from '../../../src/domain/delivery.ts';
import { createEvents } from '../../../src/telemetry/events.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics, type Metrics } from '../../../src/telemetry/metrics.ts';
import { startConsumer, type TestConsumer } from '../../support/consume.ts';
import { openFreshTenants } from '../../support/fresh-redis.ts';
import type { TestRedis } from '../../support/redis.ts';
import { aRun, openTestTenant, POLICY, type OwnTenant } from '../../support/tenant.ts';
import { until } from '../../support/until.ts';
import { jobKey, JOBS, WAITING_JOBS } from '../../support/jobs.ts';

type Attempt = (delivery: Delivery, signal: AbortSignal) => Promise<Outcome> | Outcome;

let redis: TestRedis;
let queue: OwnTenant;
let metrics: Metrics;
let consumers: TestConsumer[];
let tried: { runId: string; sends: 'create' | 'look' | undefined }[];

openFreshTenants((opened) => void ({ redis, queue } = opened));
beforeEach(() => {
  metrics = createMetrics();
  [consumers, tried] = [[], []];
});
afterEach(async () => {
  await Promise.all(consumers.map((consumer) => consumer.close()));
});

const graph = { status: 500, code: null, requestId: 'q' };
const created = (id = 'record'): Outcome => ({
  kind: 'created',
  deviceRunStateId: `${id}-${tried.length}`,
  graph: { status: 201, requestId: 'q' },
});
const absent: Outcome = { kind: 'absent', graph: { status: 200, requestId: 'q' } };
const uncertain: Outcome = { kind: 'uncertain', detail: '504', graph };
const throttled: Outcome = { kind: 'throttled', retryAfterMs: 30, detail: '429', graph };
const forbidden: Outcome = { kind: 'forbidden', detail: '403', graph };
const conflict: Outcome = { kind: 'conflict', detail: '409', graph };
const notSent: Outcome = { kind: 'not-sent', upstream: 'graph', detail: 'ECONNREFUSED', graph: null };
const rejected: Outcome = { kind: 'rejected', status: 404, detail: '404', graph };

/** Starts a worker whose attempts come to these outcomes in turn, then to creations. */
function consume(...script: (Outcome | Attempt)[]): TestConsumer {
  const consumer = startConsumer(queue, {
    deliver: async (delivery, run, signal) => {
      tried.push({ runId: run.runId, sends: delivery.intent?.sends });
      const next = script.shift() ?? created();
      return typeof next === 'function' ? next(delivery, signal) : next;
    },
    events: createEvents(createLog('worker', 'silent'), metrics),
    policy: POLICY,
    concurrency: 10,
    clock: Date.now,
    random: () => 0.5,
  });
  consumers.push(consumer);
  return consumer;
}

async function accept(number: number): Promise<string> {
  const answer = await queue.deliveries.accept(aRun(number), Date.now());
  if (answer.kind === 'conflict') throw new Error('conflict');
  return answer.delivery.id;
}

const ends = (id: string, withinMs?: number) =>
  until(
    `delivery ${id} ends`,
    async () => {
      const delivery = await queue.deliveries.find(id);
      return delivery?.status === 'delivered' || delivery?.status === 'dead' ? delivery : null;
    },
    withinMs,
  );
const outcomes = (delivery: Delivery) => delivery.attempts.map(({ outcome }) => outcome);

describe('outcomes', () => {
  test('a created record · delivers at the first attempt · and leaves no job', async () => {
    consume();
    const id = await accept(1);
    const delivery = await ends(id);
    expect(delivery).toMatchObject({ status: 'delivered', deviceRunStateId: 'record-1', attemptsMade: 1 });
    await until('the job is gone', async () => (await redis.client.exists(jobKey(id))) === 0);
  });

  test('a throttled attempt · waits as long as Graph asks · is not counted', async () => {
    consume(throttled);
    const delivery = await ends(await accept(1));
    expect(outcomes(delivery)).toEqual(['created']);
    expect(delivery.lastFailure).toMatchObject({ kind: 'throttled', graphRequestId: 'q' });
  });

  test('an unsent attempt · is tried again after a backoff · and counted', async () => {
    consume(notSent, notSent);
    expect(outcomes(await ends(await accept(1)))).toEqual(['not-sent', 'not-sent', 'created']);
  });

  test('an uncertain create · is looked up before it is repeated · and repeated only after three looks in vain', async () => {
    consume(uncertain, absent, absent, absent);
    const delivery = await ends(await accept(1));
    expect(outcomes(delivery)).toEqual(['uncertain', 'absent', 'absent', 'absent', 'created']);
    expect(tried.map(({ sends }) => sends)).toEqual(['create', 'look', 'look', 'look', 'create']);
  });

  test('a look that finds the record · delivers with its id · without another create', async () => {
    consume(uncertain, absent, { kind: 'found', deviceRunStateId: 'there', graph: { status: 200, requestId: 'q' } });
    expect(await ends(await accept(1))).toMatchObject({
      status: 'delivered',
      deviceRunStateId: 'there',
      attemptsMade: 3,
    });
  });

  test('a create that collides · is looked for first · and delivered where the record is its own', async () => {
    const found: Outcome = { kind: 'found', deviceRunStateId: 'there', graph: { status: 200, requestId: 'q' } };
    consume(conflict, absent, found);
    const delivery = await ends(await accept(1));
    expect(delivery).toMatchObject({ status: 'delivered', deviceRunStateId: 'there' });
    expect(outcomes(delivery)).toEqual(['conflict', 'absent', 'found']);
  });

  test('a create that collides with another’s record · is dead, and not created again · until it is replayed', async () => {
    consume(conflict, absent, absent, absent);
    const delivery = await ends(await accept(1));
    expect(delivery).toMatchObject({ status: 'dead', lastFailure: { kind: 'conflict', code: 'graph-409' } });
    expect(tried.map(({ sends }) => sends)).toEqual(['create', 'look', 'look', 'look']);
    expect(await queue.deadLetters.replay({ deliveryId: delivery.id }, Date.now())).toBe(1);
    expect(await ends(delivery.id)).toMatchObject({ status: 'delivered' });
  });

  test('looks that did not see all · are no outage, and no proof of absence · but read on', async () => {
    const unread: Outcome = { kind: 'inconclusive', next: 'https://graph/2', detail: 'more pages', graph };
    const nexts: (string | undefined)[] = [];
    const look = (delivery: Delivery) => (nexts.push(delivery.uncertainty?.next), unread);
    consume(uncertain, look, look, look, look, look, look, absent, absent, absent);
    const delivery = await ends(await accept(1));
    expect(tried.map(({ sends }) => sends)).toEqual(['create', ...Array<'look'>(9).fill('look'), 'create']);
    expect(delivery.status).toBe('delivered');
    expect(nexts).toEqual([undefined, ...Array<string>(5).fill('https://graph/2')]);
    expect((await queue.budget.state()).holds).toEqual([]);
  });

  test('a look that reads on and on · when the worker stops · ends at once and is given back', async () => {
    const begun = Promise.withResolvers<undefined>();
    const consumer = consume(uncertain, (_delivery, signal) => {
      begun.resolve(undefined);
      return new Promise((_, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason as Error));
      });
    });
    const id = await accept(1);
    await begun.promise;
    await consumer.close();
    expect(await queue.deliveries.find(id)).toMatchObject({
      status: 'waiting',
      intent: null,
      uncertainty: { lookups: 0 },
    });
    consumers = [];
    consume(absent, absent, absent);
    expect(await ends(id)).toMatchObject({ status: 'delivered' });
  });

  test('a look that fails itself · is repeated · and no create meanwhile', async () => {
    consume(uncertain, uncertain, notSent, throttled, absent, absent, absent);
    await ends(await accept(1));
    expect(tried.map(({ sends }) => sends)).toEqual([
      'create',
      'look',
      'look',
      'look',
      'look',
      'look',
      'look',
      'create',
    ]);
  });

  test('a refused run result · is a dead letter · and its neighbours are delivered', async () => {
    consume(
      (delivery) => (delivery.runId === 'run-1' ? rejected : created()),
      (delivery) => (delivery.runId === 'run-1' ? rejected : created()),
    );
    const [poison, neighbour] = [await accept(1), await accept(2)];
    expect(await ends(poison)).toMatchObject({
      status: 'dead',
      lastFailure: { code: 'graph-404', graphRequestId: 'q' },
    });
    expect(await ends(neighbour)).toMatchObject({ status: 'delivered' });
  });

  test('a missing permission · holds everyone without spending attempts · until a probe succeeds', async () => {
    const answers = (delivery: Delivery) => (tried.length <= 4 ? forbidden : created(delivery.runId));
    consume(...Array.from({ length: 100 }, () => answers));
    const ids = await Promise.all(Array.from({ length: 10 }, (_, number) => accept(number)));
    const deliveries = await Promise.all(ids.map((id) => ends(id)));
    for (const delivery of deliveries) expect(outcomes(delivery)).toEqual(['created']);
    expect((await queue.budget.state()).holds).toEqual([]);
    expect(metrics.dead.render()).not.toMatch(/^runstate_dead_total/m);
  });

  test('every create rejected alike · is dead ten times · what follows is kept, and created once that is over', async () => {
    let isMended = false;
    const answers = (): Outcome => (isMended ? created() : { ...rejected, status: 400, detail: '400 BadRequest' });
    consume(...Array.from({ length: 500 }, () => answers));
    const ids = await Promise.all(Array.from({ length: 60 }, (_, number) => accept(number)));
    await until('probes fail', async () => (await queue.budget.state()).holds.some(({ probes }) => probes > 1));
    expect((await queue.budget.state()).holds).toMatchObject([{ reason: 'all-rejected' }, { reason: 'all-rejected' }]);
    expect(await queue.deliveries.counts()).toMatchObject({ dead: 10, delivered: 0 });
    isMended = true;
    const deliveries = await Promise.all(ids.map((id) => ends(id, 20_000)));
    expect(deliveries.filter(({ status }) => status === 'dead')).toHaveLength(10);
    expect((await queue.budget.state()).holds).toEqual([]);
    expect(await queue.deadLetters.replay({ filter: { code: 'graph-400' } }, Date.now())).toBe(10);
    await until('all are delivered', async () => (await queue.deliveries.counts()).delivered === 60);
  }, 30_000);

  test('more than there is room for, of two configurations that do not exist · do not keep another’s from being created', async () => {
    await queue.close();
    queue = await openTestTenant(redis, { writesPer20s: 100 });
    const [missing, alsoMissing, sound] = ['1', '2', '3'].map(
      (digit) => `${digit.repeat(8)}-2222-3333-4444-555555555555`,
    );
    const acceptOf = (number: number, hardwareConfigurationId = '') =>
      queue.deliveries.accept(aRun(number, { hardwareConfigurationId }), Date.now());
    for (let number = 0; number < 100; number += 1) await acceptOf(number, number % 2 === 0 ? missing : alsoMissing);
    const attempt: Attempt = ({ hardwareConfigurationId }) =>
      hardwareConfigurationId === sound ? created() : rejected;
    consume(...Array<Attempt>(1000).fill(attempt));
    await until('everyone is held', async () =>
      (await queue.budget.state()).holds.some(({ about }) => about === 'create'),
    );
    const answer = await acceptOf(100, sound);
    if (answer.kind !== 'accepted') throw new Error(answer.kind);
    expect(await ends(answer.delivery.id)).toMatchObject({ status: 'delivered' });
  });

  test('creates down while lookups work · hold creates alone · and no lookup ends that', async () => {
    let isMended = false;
    const answers = (delivery: Delivery) => {
      if (delivery.intent?.sends === 'look') return absent;
      return isMended ? created() : uncertain;
    };
    consume(...Array.from({ length: 2000 }, () => answers));
    const ids = await Promise.all(Array.from({ length: 20 }, (_, number) => accept(number)));
    await until('creates are held', async () => (await queue.budget.state()).holds.length === 2);
    const [{ since } = { since: 0 }] = (await queue.budget.state()).holds;
    const looked = tried.length;
    await until('lookups go on', () => tried.filter(({ sends }) => sends === 'look').length > looked - 10);
    expect((await queue.budget.state()).holds[0]).toMatchObject({ about: 'create', since });
    isMended = true;
    for (const id of ids) expect(await ends(id, 20_000)).toMatchObject({ status: 'delivered' });
  }, 30_000);

  test('an attempt that throws · is a defect that loses nothing · and is tried again', async () => {
    consume(() => {
      throw new Error('a bug');
    });
    const delivery = await ends(await accept(1), 20_000);
    expect(delivery.status).toBe('delivered');
    expect(outcomes(delivery)[0]).toBe('uncertain');
  }, 25_000);
});

describe('Redis refuses just as a record was created', () => {
  const countRefusals = async () =>
    Number(/total_error_replies:(\d+)/.exec(await redis.client.info('stats'))?.[1] ?? 0);
  afterEach(async () => {
    await redis.client.config('SET', 'maxmemory', '0');
    await redis.client.call('ACL', 'SETUSER', 'default', '+@all');
  });

  test.each([
    ['OOM', ['CONFIG', 'SET', 'maxmemory', '1'], ['CONFIG', 'SET', 'maxmemory', '0']],
    ['NOPERM', ['ACL', 'SETUSER', 'default', '-hincrby'], ['ACL', 'SETUSER', 'default', '+@all']],
  ])(
    '%s for a short time · is no defect · and the outcome is stored without a lookup',
    async (_code, refuse, permit) => {
      await redis.client.config('RESETSTAT');
      consume(async () => {
        await redis.client.call(...(refuse as [string]));
        return created();
      });
      const id = await accept(1);
      await until('it is refused', async () => tried.length > 0 && (await countRefusals()) >= 10, 20_000);
      await redis.client.call(...(permit as [string]));
      const delivery = await ends(id, 20_000);
      expect(delivery).toMatchObject({ deviceRunStateId: 'record-1', lastFailure: null });
      expect(outcomes(delivery)).toEqual(['created']);
      expect(tried.map(({ sends }) => sends)).toEqual(['create']);
      expect((await metrics.defects.get()).values).toMatchObject([{ value: 0 }]);
    },
    50_000,
  );

  test('a failure’s outcome · is stored as well · its effect on the tenant included', async () => {
    consume(async () => {
      await redis.client.config('SET', 'maxmemory', '1');
      setTimeout(() => void redis.client.config('SET', 'maxmemory', '0'), 500);
      return forbidden;
    });
    const delivery = await ends(await accept(1), 20_000);
    expect(outcomes(delivery)).toEqual(['created']);
    expect(delivery.lastFailure).toMatchObject({ kind: 'forbidden' });
    expect((await metrics.defects.get()).values).toMatchObject([{ value: 0 }]);
  }, 50_000);
});

test('Redis’s clock steps back an hour as a worker is killed · its locks last no longer · than they were set for', async () => {
  const id = await accept(1);
  const jobId = await redis.client.rpoplpush(WAITING_JOBS, `${JOBS}:active`);
  const [lock, check] = [`${JOBS}:${jobId}:lock`, `${JOBS}:stalled-check`];
  // As a clock that stepped back leaves them: the time that was left, and an hour.
  await redis.client.set(lock, 'of a worker that is gone', 'PX', 3_600_000 + 20_000);
  await redis.client.set(check, '1', 'PX', 3_600_000 + 10_000);
  consume();
  await until(
    'both expire in time',
    async () => {
      const [lockMs, checkMs] = await Promise.all([lock, check].map((key) => redis.client.pttl(key)));
      return Number(lockMs) <= 20_000 && Number(checkMs) <= 10_000;
    },
    12_000,
  );
  expect(await ends(id, 60_000)).toMatchObject({ status: 'delivered' });
}, 90_000);

test('an older result that nobody superseded when the newer one came · is superseded before it is created', async () => {
  const older = await accept(1);
  await queue.close();
  queue = await openTestTenant(redis, { supersede: true });
  const { deviceId } = aRun(1);
  const run = aRun(2, { deviceId, completedAt: '2026-11-23T11:00:00Z' });
  const newer = await queue.deliveries.accept(run, Date.now());
  if (newer.kind === 'conflict') throw new Error('conflict');
  consume();
  expect(await ends(newer.delivery.id)).toMatchObject({ status: 'delivered' });
  const superseded = await until('the older one ends', async () => {
    const delivery = await queue.deliveries.find(older);
    return delivery?.status === 'superseded' ? delivery : null;
  });
  expect(superseded.supersededBy).toBe(newer.delivery.id);
  expect(tried.map(({ runId }) => runId)).toEqual(['run-2']);
});

describe('workers that go away', () => {
  test('an intent left by a dead worker · makes the create uncertain · so it is looked up first', async () => {
    const id = await accept(1);
    const stored = await queue.deliveries.load(id);
    if (!stored) throw new Error('not stored');
    await queue.deliveries.save(stored, begin(stored.delivery, Date.now() - POLICY.attemptTimeoutMs), {
      now: Date.now(),
    });
    consume({ kind: 'found', deviceRunStateId: 'there', graph: { status: 200, requestId: 'q' } });
    expect(outcomes(await ends(id))).toEqual(['uncertain', 'found']);
    expect(tried.map(({ sends }) => sends)).toEqual(['look']);
  });

  test('closing · lets the running attempt finish · and gives the waiting ones back', async () => {
    const inHand = Promise.withResolvers<Outcome>();
    const consumer = consume(() => inHand.promise);
    const first = await accept(1);
    await until('the attempt is in hand', () => tried.length === 1);
    await queue.budget.throttle({ kind: 'write', isProbe: false, retryAfterMs: 60_000, random: 0 });
    const second = await accept(2);
    await until('the second is fetched', async () => (await queue.jobs.countWaiting()) === 0);
    const closed = consumer.close();
    inHand.resolve(created());
    await closed;
    expect((await queue.deliveries.find(first))?.status).toBe('delivered');
    expect((await queue.deliveries.find(second))?.status).toBe('queued');
    expect(await queue.jobs.countWaiting()).toBe(1);
  });

  test('an answer that comes after the delivery was given to another · still counts · since the record is there', async () => {
    const late = Promise.withResolvers<Outcome>();
    consume(() => late.promise);
    const id = await accept(1);
    await until('the attempt is in hand', () => tried.length === 1);
    const stored = await queue.deliveries.load(id);
    if (!stored) throw new Error('not stored');
    const uncertainNow = {
      ...stored.delivery,
      status: 'waiting' as const,
      intent: null,
      uncertainty: { since: 1, lookups: 0 },
    };
    expect((await queue.deliveries.save(stored, uncertainNow, { now: Date.now() })).kind).toBe('saved');
    late.resolve(created());
    expect(await ends(id)).toMatchObject({ status: 'delivered', deviceRunStateId: 'record-1' });
  });

  test('Redis crashing in the middle · loses nothing · and everything flows again by itself', async () => {
    const ids = await Promise.all(Array.from({ length: 20 }, (_, number) => accept(number)));
    const inHand = Promise.withResolvers<undefined>();
    consume(...ids.map((_, number) => () => inHand.promise.then(() => created(`first-${number}`))));
    await until('work has begun', () => tried.length > 5);
    await redis.kill();
    inHand.resolve(undefined);
    await redis.start();
    await redis.client.script('FLUSH');
    const deliveries = await Promise.all(ids.map((id) => ends(id, 50_000)));
    expect(new Set(deliveries.map(({ deviceRunStateId }) => deviceRunStateId)).size).toBe(20);
    expect(deliveries.every(({ status }) => status === 'delivered')).toBe(true);
  }, 60_000);
});
