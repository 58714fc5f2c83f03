// The shared budget on a real Redis: even slots over several workers, throttling, holds and their probes.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { createPacer } from '../../src/queue/pacer.ts';
import { KEYS, openTestBudget, type TestBudget } from '../support/budget.ts';
import { startTestRedis, type TestRedis } from '../support/redis.ts';
import { POLICY } from '../support/tenant.ts';
import { until } from '../support/until.ts';

let redis: TestRedis;
let budgets: TestBudget[];

beforeAll(async () => {
  redis = await startTestRedis();
});
afterAll(() => redis.close());
beforeEach(async () => {
  await redis.client.flushall();
  budgets = [];
});
afterEach(async () => {
  await Promise.all(budgets.map((budget) => budget.close()));
});

function openBudget(settings: Parameters<typeof openTestBudget>[1] = {}) {
  const budget = openTestBudget(redis, settings);
  budgets.push(budget);
  return budget;
}

describe('slots', () => {
  test('two workers together · get one slot per interval · however often they ask', async () => {
    const [one, two] = [openBudget({ writesPer20s: 1000 }), openBudget({ writesPer20s: 1000 })];
    const startedAt = Date.now();
    let granted = 0;
    while (granted < 20) {
      const turns = await Promise.all([one.take('write'), two.take('write')]);
      granted += turns.filter(({ go }) => go).length;
    }
    const intervals = (Date.now() - startedAt) / 20;
    expect(granted).toBeLessThanOrEqual(intervals + 2);
  });

  test('reads · have slots of their own · while writes must wait', async () => {
    const budget = openBudget({ writesPer20s: 1 });
    await budget.take('write');
    await budget.take('write');
    expect(await budget.take('write')).toMatchObject({ go: false, because: 'pace' });
    expect(await budget.take('read')).toMatchObject({ go: true });
  });

  test('a waiting line · goes first come first served · and an aborted one leaves it', async () => {
    const budget = openBudget({ writesPer20s: 1000 });
    const pacer = createPacer(budget);
    const order: number[] = [];
    const leaving = new AbortController();
    const turns = [1, 2, 3, 4].map((number) =>
      pacer
        .turn('write', number === 3 ? leaving.signal : new AbortController().signal)
        .then(() => order.push(number))
        .catch((reason: unknown) => expect(reason).toBe(leaving.signal.reason)),
    );
    leaving.abort(new Error('leaving'));
    await Promise.all(turns);
    expect(order).toEqual([1, 2, 4]);
  });
});

describe('throttling', () => {
  test('a Retry-After · stops every worker for that long · and a shorter one later does not shorten it', async () => {
    const [one, two] = [openBudget(), openBudget()];
    expect(await one.throttle('write', false, 60_000, 0)).toBe(60_000);
    expect(await one.throttle('write', false, 1000, 0)).toBeGreaterThan(59_000);
    for (const kind of ['write', 'read'] as const) {
      const turn = await two.take(kind);
      expect(turn).toMatchObject({ go: false, because: 'throttled' });
      expect((turn as { waitMs: number }).waitMs).toBeGreaterThan(59_000);
    }
    expect((await two.state()).throttle?.until).toBeGreaterThan(Date.now() + 59_000);
  });

  test('without Retry-After · the wait grows per episode with full jitter · and is capped', async () => {
    const budget = openBudget();
    const waits: number[] = [];
    for (let episode = 0; episode < 5; episode++) {
      waits.push(await budget.throttle('write', false, null, 0.999));
      await until('a slot', async () => (await budget.take('write')).go);
    }
    expect(waits).toEqual([20, 40, 80, 100, 100]);
  });

  test('a Retry-After that is shorter · again and again · does not shorten the wait', async () => {
    const budget = openBudget();
    const waits: number[] = [];
    for (const told of [0, 0, 1, 0, 200]) {
      waits.push(await budget.throttle('write', false, told, 0.999));
      await until('a slot', async () => (await budget.take('write')).go);
    }
    expect(waits).toEqual([20, 40, 80, 100, 200]);
  });

  test('several answers of one episode · count once · so the wait grows once', async () => {
    const budget = openBudget();
    const waits = await Promise.all([1, 2, 3].map(() => budget.throttle('write', false, null, 0.999)));
    expect(Math.max(...waits)).toBeLessThanOrEqual(20);
  });
});

describe('holds', () => {
  test('a hold · lets one probe through per interval · and nobody else', async () => {
    const [one, two] = [openBudget({ holdProbeMs: 200 }), openBudget({ holdProbeMs: 200 })];
    expect(await one.hold('forbidden', 'no permission', 'in-flight')).toMatchObject({
      isNew: true,
      hold: { probes: 0 },
    });
    expect(await two.take('write')).toMatchObject({ go: false, because: 'forbidden' });
    const probe = await until('a probe', async () => {
      const turn = await two.take('write');
      return turn.go && turn;
    });
    expect(probe).toMatchObject({ probe: 'forbidden' });
    expect(await one.take('read')).toMatchObject({ go: false, because: 'forbidden' });
  });

  test('failed probes · grow the interval · answers still in flight do not', async () => {
    const budget = openBudget({ holdProbeMs: 1000 });
    const growth: number[] = [];
    await budget.hold('forbidden', '', 'in-flight');
    for (let probe = 0; probe < 6; probe++) {
      await budget.hold('forbidden', '', 'in-flight');
      const { hold } = await budget.hold('forbidden', '', 'probe');
      growth.push(Math.round((hold.probeAt - Date.now()) / 1000));
    }
    expect(growth).toEqual([2, 4, 8, 15, 15, 15]);
  });

  test('a probe that succeeds · ends its own hold · and no other', async () => {
    const budget = openBudget({ holdProbeMs: 60_000 });
    await budget.hold('credential-refused', 'secret expired', 'in-flight');
    expect(await budget.mended('forbidden')).toBeNull();
    expect((await budget.state()).hold?.reason).toBe('credential-refused');
    expect(await budget.mended('credential-refused')).toMatchObject({
      reason: 'credential-refused',
      detail: 'secret expired',
    });
    expect(await budget.take('write')).toMatchObject({ go: true, probe: null });
  });

  test('one delivery failing again and again · holds nobody · five different ones do', async () => {
    const budget = openBudget({ holdProbeMs: 60_000 });
    for (let attempt = 0; attempt < 20; attempt++) {
      expect(await budget.failed('d1', 'graph-unavailable', 'reset', 'own')).toBeNull();
    }
    for (const id of ['d2', 'd3', 'd4'])
      expect(await budget.failed(id, 'graph-unavailable', 'reset', 'own')).toBeNull();
    expect(await budget.failed('d5', 'graph-unavailable', 'reset', 'own')).toMatchObject({ isNew: true });
    expect(await budget.take('write')).toMatchObject({ go: false, because: 'graph-unavailable' });
  });

  test('requests of one delivery that were not even sent · are no fault of its own · and hold everyone', async () => {
    const budget = openBudget({ holdProbeMs: 60_000 });
    const fail = () => budget.failed('d1', 'graph-unavailable', 'ENOTFOUND', 'way');
    for (let attempt = 0; attempt < 4; attempt++) expect(await fail()).toBeNull();
    expect(await fail()).toMatchObject({ isNew: true, hold: { reason: 'graph-unavailable' } });
  });

  test('a probe that hangs · is the only one · until its time-out', async () => {
    const budget = openBudget({ holdProbeMs: 10 });
    await budget.hold('forbidden', '', 'in-flight');
    const startedAt = await until('a probe', async () => (await budget.take('write')).go && Date.now());
    await until('the next probe', async () => (await budget.take('write')).go);
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(POLICY.attemptTimeoutMs - 50);
  });

  test('a slot set by a clock that stepped back since · is no further away than one interval', async () => {
    const budget = openBudget({ writesPer20s: 1000 });
    await budget.take('write');
    await redis.client.hset(KEYS.budget, 'pace.slotAt', Date.now() + 3_600_000);
    await redis.client.hset(KEYS.budget, 'nextAnyAt', (Date.now() + 3_600_000) * 1000);
    const turns = await Promise.all([budget.take('write'), budget.take('read')]);
    for (const turn of turns) expect(turn).toMatchObject({ go: false, because: 'pace' });
    const [write, read] = turns.map((turn) => (turn as { waitMs: number }).waitMs);
    expect(write).toBeLessThanOrEqual(23);
    expect(read).toBeLessThanOrEqual(1000);
  });

  test('failures with a success in between · start over · and hold nobody', async () => {
    const budget = openBudget();
    for (const id of ['d1', 'd2', 'd3', 'd4']) await budget.failed(id, 'graph-unavailable', 'reset', 'own');
    expect(await budget.take('write')).toMatchObject({ go: true, troubled: true });
    await budget.mended(null);
    expect(await budget.failed('d5', 'graph-unavailable', 'reset', 'own')).toBeNull();
  });

  test('what was held · is still held after Redis crashed · since it is written down', async () => {
    const budget = openBudget({ holdProbeMs: 60_000 });
    await budget.hold('unauthenticated', 'token refused', 'in-flight');
    await redis.kill();
    await redis.start();
    expect((await budget.state()).hold).toMatchObject({ reason: 'unauthenticated', detail: 'token refused' });
  });
});
