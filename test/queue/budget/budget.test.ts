// The shared budget on a real Redis: even slots over several workers, throttling, holds and their probes.
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createPermitQueue } from '../../../src/queue/budget/permit-queue.ts';
import { keyOfHold } from '../../../src/domain/hold/hold.ts';
import { KEYS, openTestBudget, type TestBudget } from '../../support/budget.ts';
import { asking, failed, judge, notSent, ONE, OTHER, works } from '../../support/hold.ts';
import { startFreshRedis } from '../../support/fresh-redis.ts';
import type { TestRedis } from '../../support/redis.ts';
import { POLICY } from '../../support/tenant.ts';
import { until } from '../../support/until.ts';

const takeSlot = () => Promise.resolve({ release: () => undefined });

let redis: TestRedis;
let budgets: TestBudget[];

startFreshRedis((started) => void (redis = started));
beforeEach(() => {
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
      const answers = await Promise.all([one.acquire('write', asking()), two.acquire('write', asking())]);
      granted += answers.filter(({ granted }) => granted).length;
    }
    const intervals = (Date.now() - startedAt) / 20;
    expect(granted).toBeLessThanOrEqual(intervals + 2);
  });

  test('reads · have slots of their own · while writes must wait', async () => {
    const budget = openBudget({ writesPer20s: 1 });
    await budget.acquire('write', asking());
    await budget.acquire('write', asking());
    expect(await budget.acquire('write', asking())).toMatchObject({ granted: false, reason: 'pace' });
    expect(await budget.acquire('read', asking())).toMatchObject({ granted: true });
  });

  test('a waiting line · goes first come first served · and an aborted one leaves it', async () => {
    const budget = openBudget({ writesPer20s: 1000 });
    const permits = createPermitQueue(budget, takeSlot);
    const order: number[] = [];
    const leaving = new AbortController();
    const answers = [1, 2, 3, 4].map((number) =>
      permits
        .acquire('write', asking(), number === 3 ? leaving.signal : new AbortController().signal)
        .then(() => order.push(number))
        .catch((reason: unknown) => expect(reason).toBe(leaving.signal.reason)),
    );
    leaving.abort(new Error('leaving'));
    await Promise.all(answers);
    expect(order).toEqual([1, 2, 4]);
  });
});

describe('a pace an older version kept', () => {
  test('what it did not know starts over · what it learned stays', async () => {
    const budget = openBudget({ writesPer20s: 100 });
    await budget.acquire('write', asking());
    await redis.client.hset(KEYS.budget, 'pace.ceilingPer20s', 300);
    await redis.client.hdel(KEYS.budget, 'pace.windowMs', 'pace.heat', 'pace.provenPer20s');
    expect((await budget.state()).writesPer20s).toBeCloseTo(300, 0);
    await redis.client.hset(KEYS.budget, 'pace.slotAt', Date.now());
    await budget.acquire('write', asking());
    expect((await budget.state()).writesPer20s).toBeCloseTo(300, 0);
    expect(await redis.client.hget(KEYS.budget, 'pace.windowMs')).toBe('20000');
  });
});

describe('throttling', () => {
  test('a Retry-After · stops every worker for that long · and a shorter one later does not shorten it', async () => {
    const [one, two] = [openBudget(), openBudget()];
    expect(await one.throttle({ kind: 'write', isProbe: false, retryAfterMs: 60_000, random: 0 })).toBe(60_000);
    expect(await one.throttle({ kind: 'write', isProbe: false, retryAfterMs: 1000, random: 0 })).toBeGreaterThan(
      59_000,
    );
    for (const kind of ['write', 'read'] as const) {
      const turn = await two.acquire(kind, asking());
      expect(turn).toMatchObject({ granted: false, reason: 'throttled' });
      expect((turn as { waitMs: number }).waitMs).toBeGreaterThan(59_000);
    }
    expect((await two.state()).throttle?.until).toBeGreaterThan(Date.now() + 59_000);
  });

  test('without Retry-After · the wait grows per episode with full jitter · and is capped', async () => {
    const budget = openBudget();
    const waits: number[] = [];
    for (let episode = 0; episode < 5; episode++) {
      waits.push(await budget.throttle({ kind: 'write', isProbe: false, retryAfterMs: null, random: 0.999 }));
      await until('a slot', async () => (await budget.acquire('write', asking())).granted);
    }
    expect(waits).toEqual([20, 40, 80, 100, 100]);
  });

  test('a Retry-After that is shorter · again and again · does not shorten the wait', async () => {
    const budget = openBudget();
    const waits: number[] = [];
    for (const retryAfterMs of [0, 0, 1, 0, 200]) {
      waits.push(await budget.throttle({ kind: 'write', isProbe: false, retryAfterMs, random: 0.999 }));
      await until('a slot', async () => (await budget.acquire('write', asking())).granted);
    }
    expect(waits).toEqual([20, 40, 80, 100, 200]);
  });

  test('several answers of one episode · count once · so the wait grows once', async () => {
    const budget = openBudget();
    const waits = await Promise.all(
      [1, 2, 3].map(() => budget.throttle({ kind: 'write', isProbe: false, retryAfterMs: null, random: 0.999 })),
    );
    expect(Math.max(...waits)).toBeLessThanOrEqual(20);
  });
});

describe('holds', () => {
  const sound = asking('d9', OTHER);

  test('a hold · lets one probe through per interval · and nobody else', async () => {
    const [one, two] = [openBudget({ holdProbeMs: 200 }), openBudget({ holdProbeMs: 200 })];
    const { began } = await judge(one, failed('forbidden', 'no permission'));
    expect(began).toMatchObject([
      { hardwareConfigurationId: ONE, probes: 0 },
      { hardwareConfigurationId: null, probes: 0 },
    ]);
    expect(await two.acquire('write', sound)).toMatchObject({ granted: false, reason: 'forbidden' });
    const probe = await until('a probe', async () => {
      const turn = await two.acquire('write', sound);
      return turn.granted && turn;
    });
    expect(probe).toMatchObject({ probes: ['create'] });
    expect(await one.acquire('write', asking('d8', OTHER))).toMatchObject({ granted: false, reason: 'forbidden' });
  });

  test('what a hold is about · is stopped by it · and nothing else', async () => {
    const budget = openBudget({ holdProbeMs: 60_000 });
    await judge(budget, failed('forbidden'), { operation: 'look' });
    expect(await budget.acquire('read', sound)).toMatchObject({ granted: false, reason: 'forbidden' });
    expect(await budget.acquire('read', null)).toMatchObject({ granted: true });
    expect(await budget.acquire('write', asking())).toMatchObject({ granted: true, probes: [] });
    await judge(budget, failed('credential-refused'));
    for (const kind of ['write', 'read'] as const)
      expect(await budget.acquire(kind, sound)).toMatchObject({ granted: false, waitMs: expect.any(Number) as number });
  });

  test('a delivery of a held configuration · makes room · unless it is the one that was chosen as its probe', async () => {
    const budget = openBudget({ holdProbeMs: 60_000 });
    await judge(budget, works, { configuration: OTHER });
    await judge(budget, failed('forbidden'), { id: 'd1' });
    const [{ hardwareConfigurationId, probe } = {}, ...others] = (await budget.state()).holds;
    expect([hardwareConfigurationId, probe, others]).toEqual([ONE, null, []]);
    expect(await budget.acquire('write', asking('d2'))).toEqual({ granted: false, heldBy: keyOfHold('create', ONE) });
    expect(await budget.acquire('write', sound)).toMatchObject({ granted: true, probes: [] });
  });

  test('failed probes · grow the interval · answers still in flight do not', async () => {
    const budget = openBudget({ holdProbeMs: 1000 });
    const growth: number[] = [];
    await judge(budget, failed('forbidden'));
    for (let probe = 0; probe < 6; probe++) {
      await judge(budget, failed('forbidden'), { id: 'd2' });
      const { goOn } = await judge(budget, failed('forbidden'), { configuration: OTHER, probes: ['create'] });
      growth.push(Math.round(((goOn[0]?.probeAt ?? 0) - Date.now()) / 1000));
    }
    expect(growth).toEqual([2, 4, 8, 15, 15, 15]);
  });

  test('a probe that succeeds · ends its own hold · and no other', async () => {
    const budget = openBudget({ holdProbeMs: 60_000 });
    await judge(budget, failed('credential-refused', 'secret expired'));
    expect((await judge(budget, works, { probes: ['create'] })).ended).toEqual([]);
    expect((await budget.state()).holds).toMatchObject([{ reason: 'credential-refused', about: 'any' }]);
    expect((await judge(budget, works, { probes: ['any'] })).ended).toMatchObject([
      { reason: 'credential-refused', detail: 'secret expired' },
    ]);
    expect(await budget.acquire('write', asking())).toMatchObject({ granted: true, probes: [] });
  });

  test('one delivery failing again and again · begins no hold · five different ones do', async () => {
    const budget = openBudget({ holdProbeMs: 60_000 });
    const fail = async (id: string) => (await judge(budget, failed('uncertain', 'reset'), { id })).began.length;
    for (let attempt = 0; attempt < 20; attempt++) expect(await fail('d1')).toBe(0);
    for (const id of ['d2', 'd1', 'd3', 'd2', 'd4']) expect(await fail(id)).toBe(0);
    expect(await fail('d5')).toBe(2);
    expect(await budget.acquire('write', sound)).toMatchObject({ granted: false, reason: 'graph-unavailable' });
  });

  test('requests of one delivery that were not even sent · are no fault of its own · and hold everyone', async () => {
    const budget = openBudget({ holdProbeMs: 60_000 });
    const fail = async () => (await judge(budget, notSent('ENOTFOUND'))).began;
    for (let attempt = 0; attempt < 4; attempt++) expect(await fail()).toEqual([]);
    expect(await fail()).toMatchObject([{ reason: 'graph-unavailable', about: 'any', hardwareConfigurationId: null }]);
  });

  test('a probe that hangs · is the only one · until its time-out', async () => {
    const budget = openBudget({ holdProbeMs: 10 });
    await judge(budget, failed('credential-refused'));
    const startedAt = await until('a probe', async () => (await budget.acquire('write', sound)).granted && Date.now());
    await until('the next probe', async () => (await budget.acquire('write', sound)).granted);
    expect(Date.now() - startedAt).toBeGreaterThanOrEqual(POLICY.attemptTimeoutMs - 50);
  });

  test('a probe that came to nothing · is given back · and the next one goes at once', async () => {
    const budget = openBudget({ holdProbeMs: 10 });
    await judge(budget, failed('credential-refused'));
    await until('a probe', async () => (await budget.acquire('write', sound)).granted);
    expect(await budget.acquire('write', asking('d2', OTHER))).toMatchObject({ granted: false });
    await budget.giveBack('d9');
    expect(await budget.acquire('write', asking('d2', OTHER))).toMatchObject({ granted: true, probes: ['any'] });
  });

  test('many workers that judge at once · lose no evidence · however they collide', async () => {
    const budgets = Array.from({ length: 6 }, () => openBudget({ holdProbeMs: 60_000 }));
    const rejection = { kind: 'rejected', status: 400, detail: '400', graph: null } as const;
    const judged = await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        judge(budgets[index % 6] ?? openBudget(), rejection, { id: `d${index}` }),
      ),
    );
    expect(judged.filter(({ kept }) => !kept)).toHaveLength(10);
    expect(judged.flatMap(({ began }) => began)).toHaveLength(2);
    expect((await budgets[0]?.state())?.holds).toMatchObject([{ reason: 'all-rejected' }, { reason: 'all-rejected' }]);
  });

  test('a slot set by a clock that stepped back since · is no further away than one interval', async () => {
    const budget = openBudget({ writesPer20s: 1000 });
    await budget.acquire('write', asking());
    await redis.client.hset(KEYS.budget, 'pace.slotAt', Date.now() + 3_600_000);
    await redis.client.hset(KEYS.budget, 'nextAnyAt', (Date.now() + 3_600_000) * 1000);
    const answers = await Promise.all([budget.acquire('write', asking()), budget.acquire('read', asking())]);
    for (const turn of answers) expect(turn).toMatchObject({ granted: false, reason: 'pace' });
    const [write, read] = answers.map((turn) => (turn as { waitMs: number }).waitMs);
    expect(write).toBeLessThanOrEqual(23);
    expect(read).toBeLessThanOrEqual(1000);
  });

  test('failures with a success in between · start over · and begin no hold', async () => {
    const budget = openBudget();
    const fail = async (id: string) => (await judge(budget, failed('uncertain', 'reset'), { id })).began;
    for (const id of ['d1', 'd2', 'd3', 'd4']) await fail(id);
    expect(await budget.acquire('write', asking())).toMatchObject({ granted: true, hadFailures: true });
    await judge(budget, works);
    expect(await budget.acquire('write', asking())).toMatchObject({ granted: true, hadFailures: false });
    expect(await fail('d5')).toEqual([]);
  });

  test('what was held · is still held after Redis crashed · since it is written down', async () => {
    const budget = openBudget({ holdProbeMs: 60_000 });
    await judge(budget, failed('credential-refused', 'AADSTS7000222'));
    await redis.kill();
    await redis.start();
    expect((await budget.state()).holds).toMatchObject([{ reason: 'credential-refused', detail: 'AADSTS7000222' }]);
  });
});

describe('the end of a throttle by hand', () => {
  test('a Retry-After of years · is obeyed · until an operator ends it', async () => {
    const budget = openBudget();
    await budget.acquire('write', asking());
    const years = 1_795_000_000_000;
    expect(await budget.throttle({ kind: 'write', isProbe: false, retryAfterMs: years, random: 0 })).toBe(years);
    expect(await budget.acquire('write', asking())).toMatchObject({ granted: false, reason: 'throttled' });
    expect(await budget.endThrottle()).toBeGreaterThan(Date.now() + years - 10_000);
    expect((await budget.state()).throttle).toBeNull();
    await until('a slot', async () => (await budget.acquire('write', asking())).granted);
    expect(await budget.endThrottle()).toBeNull();
  });
});
