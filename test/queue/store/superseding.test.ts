// SUPERSEDE=on: the newest that stands is enough, a dead one stands for nothing, a clock that is wrong takes no part; held to a model.
import { openJobQueue, type JobQueue } from '../../../src/queue/jobs/job-queue.ts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { begin, isReplaceable, replay, type Delivery, type Status } from '../../../src/domain/delivery.ts';
import type { RunResult } from '../../../src/domain/submission/run-result.ts';
import { createAcceptance, type Accept } from '../../../src/queue/store/acceptance.ts';
import { openFingerprintSecrets } from '../../../src/queue/store/fingerprint-secrets.ts';
import { WITHOUT_REPLICAS } from '../../../src/queue/redis/replicas/replication.ts';
import { createFingerprints } from '../../../src/queue/store/fingerprints.ts';
import { createKeys } from '../../../src/queue/redis/keys.ts';
import { createWaitingList, type WaitingList } from '../../../src/queue/store/waiting-list.ts';
import { createRecords, type Records } from '../../../src/queue/store/records.ts';
import { connect, disconnect, waitUntilReady, type RedisConnection } from '../../../src/queue/redis/connection.ts';
import { createPayloadCipher } from '../../../src/queue/store/payload-cipher.ts';
import { startFreshRedis } from '../../support/fresh-redis.ts';
import type { TestRedis } from '../../support/redis.ts';
import { aRun } from '../../support/tenant.ts';
import { fc } from '../../support/properties.ts';

const T = Date.UTC(2026, 10, 23, 12);
const DAY_MS = 86_400_000;
const WINDOW_MS = 3_600_000;
const keys = createKeys('runstate', 'default');
/** Sealed: scripts that change a record must do so without reading it. */
const seal = createPayloadCipher([Buffer.alloc(32, 'superseding')]);

let redis: TestRedis;
let connection: RedisConnection;
let jobs: JobQueue;
let waitingList: WaitingList;
let records: Records;
let accept: Accept;
/** As where the process dies between storing a result and superseding another for it. */
let isKilled: boolean;
let underWay: Promise<unknown>[];

startFreshRedis((started) => void (redis = started), '--appendonly', 'no');
beforeEach(async () => {
  connection = connect(redis.config, 'work', () => undefined);
  await waitUntilReady(connection);
  jobs = openJobQueue(connection, 'runstate', () => undefined);
  waitingList = createWaitingList({
    redis: connection,
    jobs: jobs.ofTenant('default'),
    keys,
    window: 10,
    probeLostMs: 60_000,
  });
  const parts = { redis: connection, waitingList, keys, tenantId: 'default', cipher: seal };
  records = createRecords({
    ...parts,
    settings: { dedupeWindowMs: WINDOW_MS, deliveredKeptMs: WINDOW_MS, supersede: true },
  });
  [isKilled, underWay] = [false, []];
  accept = createAcceptance({
    ...parts,
    fingerprints: createFingerprints(openFingerprintSecrets(connection, keys.fingerprintSecrets, []), seal),
    settings: { priority: 'fifo', supersede: true },
    replicas: WITHOUT_REPLICAS,
    onSuperseded: (older, newer) => {
      if (!isKilled) underWay.push(records.replace(older, newer, T));
    },
  });
});
afterEach(async () => {
  await jobs.close();
  await disconnect(connection);
});

const at = (minute: number) => new Date(T - 3_600_000 + minute * 60_000).toISOString();
const run = (name: number | string, minute: number, members: Partial<RunResult> = {}) =>
  aRun(name, { deviceId: 'device', completedAt: at(minute), ...members });

async function arrive(result: RunResult, acceptedAt = T): Promise<string> {
  const accepted = await accept(result, acceptedAt);
  if (accepted.kind !== 'accepted') throw new Error(accepted.kind);
  await Promise.all(underWay.splice(0));
  return accepted.delivery.id;
}

async function change(id: string, next: (delivery: Delivery) => Delivery): Promise<void> {
  const stored = await records.load(id);
  if (!stored) throw new Error(`no record of ${id}`);
  expect(await records.save(stored, next(stored.delivery), { now: T })).toMatchObject({ kind: 'saved' });
}

const announce = (id: string) => change(id, (delivery) => begin(delivery, T));
const die = (id: string) => change(id, (delivery) => ({ ...delivery, status: 'dead', intent: null }));
const create = (id: string) =>
  change(id, (delivery) => ({ ...delivery, status: 'delivered', intent: null, deviceRunStateId: `r-${id}` }));
const revive = (id: string) => change(id, (delivery) => replay(delivery, T));
const find = async (id: string) => {
  const stored = await records.load(id);
  if (!stored) throw new Error(`no record of ${id}`);
  return stored;
};
const statusOf = async (id: string) => (await find(id)).delivery.status;

/** What a worker does before it creates one. */
async function look(id: string): Promise<void> {
  const { delivery, run: result } = await find(id);
  if (!result || !isReplaceable(delivery)) return;
  const newer = await records.findNewer(delivery, result);
  if (newer !== null) await records.replace(id, newer, T);
}

describe('a newer one that dies', () => {
  test('gives its place back · to the one it superseded · whole, and in line', async () => {
    const older = await arrive(run('a', 1, { output: 'what it said' }));
    const newer = await arrive(run('b', 2));
    expect((await find(older)).delivery).toMatchObject({ status: 'superseded', supersededBy: newer });
    expect(await redis.client.pttl(keys.delivery(older))).toBe(-1);
    await die(newer);
    const { delivery, run: result } = await find(older);
    expect(delivery).toMatchObject({ status: 'queued', supersededBy: null, runId: 'run-a' });
    expect(result?.output).toBe('what it said');
    expect(await redis.client.lrange(keys.waitingLists[2] ?? '', 0, -1)).toContain(older);
    expect(await records.counts()).toMatchObject({ queued: 1, superseded: 0, dead: 1 });
  });

  test('on two servers, as while a failover is under way · gives its place back in two revisions', async () => {
    const [older, newer] = [await arrive(run('a', 1)), await arrive(run('b', 2))];
    const names = [keys.delivery(older), keys.delivery(newer)];
    const [results = ''] = await redis.client.keys(`${keys.root}:c:*`);
    const copies = await Promise.all([...names, results].map((name) => redis.client.dumpBuffer(name)));
    const revisions: number[] = [];
    for (let server = 0; server < 3; server += 1) {
      await Promise.all(
        [...names, results].map((name, at) => redis.client.restore(name, 0, copies[at] ?? '', 'REPLACE')),
      );
      await die(newer);
      revisions.push((await find(older)).rev);
    }
    expect(new Set(revisions).size).toBe(3);
  });

  test('of a chain · gives its place to the next newest alone · and so on', async () => {
    const [a, b, c] = [await arrive(run('a', 1)), await arrive(run('b', 2)), await arrive(run('c', 3))];
    await die(c);
    expect([await statusOf(a), await statusOf(b)]).toEqual(['superseded', 'queued']);
    await die(b);
    expect(await statusOf(a)).toBe('queued');
  });

  test('that came before those it superseded · gives its place to the newest of them · and the others point to that', async () => {
    const c = await arrive(run('c', 3));
    const [a, b] = [await arrive(run('a', 1)), await arrive(run('b', 2))];
    expect((await find(a)).delivery.supersededBy).toBe(c);
    await die(c);
    expect(await statusOf(b)).toBe('queued');
    expect((await find(a)).delivery).toMatchObject({ status: 'superseded', supersededBy: b });
  });

  test('while another newer one stands, under way or created · changes nothing', async () => {
    const b = await arrive(run('b', 2));
    await announce(b);
    const c = await arrive(run('c', 3));
    const a = await arrive(run('a', 1));
    await die(c);
    expect((await find(a)).delivery).toMatchObject({ status: 'superseded', supersededBy: b });
    await create(b);
    expect(await statusOf(a)).toBe('superseded');
    expect((await find(a)).run).toBeNull();
  });

  test('and is replayed · supersedes it again · unless it was created meanwhile', async () => {
    const [a, b] = [await arrive(run('a', 1)), await arrive(run('b', 2))];
    await die(b);
    await revive(b);
    await look(a);
    expect((await find(a)).delivery).toMatchObject({ status: 'superseded', supersededBy: b });
    await die(b);
    await announce(a);
    await create(a);
    await revive(b);
    await look(b);
    expect([await statusOf(a), await statusOf(b)]).toEqual(['delivered', 'queued']);
  });

  test('and is purged · leaves the one that came back alone', async () => {
    const [a, b] = [await arrive(run('a', 1)), await arrive(run('b', 2))];
    await die(b);
    await redis.client.del(keys.delivery(b));
    await look(a);
    expect(await statusOf(a)).toBe('queued');
  });

  test('just when it would supersede another · does not', async () => {
    isKilled = true;
    const [a, b] = [await arrive(run('a', 1)), await arrive(run('b', 2))];
    await die(b);
    expect(await records.replace(a, b, T)).toBe('stale');
    expect(await statusOf(a)).toBe('queued');
  });
});

describe('what was superseded', () => {
  test('is let go once a newer one was created · and only remembered', async () => {
    const [a, b] = [await arrive(run('a', 1)), await arrive(run('b', 2))];
    await announce(b);
    await create(b);
    expect(await find(a)).toMatchObject({
      run: null,
      delivery: { status: 'superseded', supersededBy: b, runId: 'run-a' },
    });
    expect(await redis.client.pttl(keys.delivery(a))).toBeGreaterThan(WINDOW_MS - 60_000);
    expect(await records.openBytes()).toBe(0);
  });

  test('after a newer one was created · is let go at once · and the set of results expires', async () => {
    const b = await arrive(run('b', 2));
    await announce(b);
    await create(b);
    const a = await arrive(run('a', 1));
    expect(await find(a)).toMatchObject({ run: null, delivery: { status: 'superseded', supersededBy: b } });
    const [results = ''] = await redis.client.keys(`${keys.root}:c:*`);
    expect(await redis.client.pttl(results)).toBeGreaterThan(WINDOW_MS - 60_000);
    expect(await records.openBytes()).toBe(0);
  });

  test('counts as what waits while it may come back · and no more than eight of a device do', async () => {
    const ids: string[] = [];
    for (let minute = 1; minute <= 12; minute += 1)
      ids.push(await arrive(run(minute, minute, { output: 'x'.repeat(1000) })));
    const whole = await Promise.all(ids.map(async (id) => (await find(id)).run !== null));
    expect(whole).toEqual([...Array.from({ length: 3 }, () => false), ...Array.from({ length: 9 }, () => true)]);
    expect(await records.openBytes()).toBeGreaterThan(9000);
    for (const id of ids.toReversed().slice(0, 9)) await die(id);
    expect(await records.counts()).toMatchObject({ dead: 9, superseded: 3, queued: 0 });
    expect(await records.openBytes()).toBe(0);
  });
});

describe('a run completed more than a day ahead of its acceptance', () => {
  const ahead = (name: string, aheadMs: number) => run(name, 0, { completedAt: new Date(T + aheadMs).toISOString() });

  test('supersedes nothing, and nothing supersedes it · which it says', async () => {
    const a = await arrive(run('a', 1));
    const wrong = await arrive(ahead('2099', DAY_MS + 1));
    const b = await arrive(run('b', 2));
    const wronger = await arrive(ahead('2100', 100 * DAY_MS));
    for (const id of [a, b, wrong, wronger]) await look(id);
    expect(await Promise.all([a, b, wrong, wronger].map(statusOf))).toEqual([
      'superseded',
      'queued',
      'queued',
      'queued',
    ]);
    expect((await find(wrong)).delivery.notes).toEqual([{ code: 'completed-ahead', at: T, by: null }]);
    expect((await find(b)).delivery.notes).toEqual([]);
    await announce(wrong);
    await create(wrong);
    const c = await arrive(run('c', 3));
    await look(c);
    expect(await statusOf(c)).toBe('queued');
    expect((await find(wrong)).delivery.notes).toHaveLength(1);
  });

  test('no more than a day · takes part', async () => {
    const a = await arrive(run('a', 1));
    await arrive(ahead('tomorrow', DAY_MS));
    expect(await statusOf(a)).toBe('superseded');
  });

  test('kept as the newest by an earlier version · blocks nobody', async () => {
    const wrong = await arrive(ahead('2099', 70 * 365 * DAY_MS));
    await arrive(run('a', 1));
    const [results = ''] = await redis.client.keys(`${keys.root}:c:*`);
    await redis.client.set(results.replace(':c:', ':n:'), `9999999999999999999 ${wrong}`);
    const b = await arrive(run('b', 2));
    await look(b);
    expect(await statusOf(b)).toBe('queued');
  });
});

type Step =
  | { kind: 'arrive'; minute: number; killed: boolean }
  | { kind: 'announce' | 'unsure' | 'calm' | 'create' | 'die' | 'replay' | 'look'; which: number };

/** What the model knows of one: only what an operator could see. */
type Seen = { id: string; minute: number; status: Status; unsure: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('arrive' as const),
      minute: fc.integer({ min: 1, max: 6 }),
      killed: fc.boolean(),
    }),
  },
  {
    weight: 9,
    arbitrary: fc.record({
      kind: fc.constantFrom('announce', 'unsure', 'calm', 'create', 'die', 'die', 'replay', 'look'),
      which: fc.nat(),
    }),
  },
);

const OPEN: readonly Status[] = ['queued', 'delivering', 'waiting'];

/** Every rule there is, from the newest to the oldest: whoever is newer and open or created stands for the older. */
function settle(seen: Seen[]): void {
  for (const one of seen.toSorted((a, b) => b.minute - a.minute)) {
    const isStoodFor = seen.some(
      ({ minute, status }) => minute > one.minute && (OPEN.includes(status) || status === 'delivered'),
    );
    const isFree = (one.status === 'queued' || one.status === 'waiting') && !one.unsure;
    if (isFree && isStoodFor) one.status = 'superseded';
    else if (one.status === 'superseded' && !isStoodFor) one.status = 'queued';
  }
}

test('any arrivals, deaths, creations, replays and kills · once every worker has looked · leave what the model says', async () => {
  const met = { cameBack: 0, superseded: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 30, size: 'max' }), async (steps) => {
      await redis.client.flushall();
      const seen: Seen[] = [];
      const pick = (which: number, among: readonly Status[]) => {
        const fit = seen.filter(({ status }) => among.includes(status));
        return fit[which % Math.max(1, fit.length)];
      };
      for (const next of steps) {
        if (next.kind === 'arrive') {
          // Of one device no more than eight are kept whole; the model knows no such bound.
          if (seen.length === 8) continue;
          isKilled = next.killed;
          const id = await arrive(run(`p${seen.length}`, next.minute));
          seen.push({ id, minute: next.minute, status: 'queued', unsure: false });
        } else await act(next.kind, next.which, pick);
        for (const { id } of seen) await look(id);
        const before = seen.map(({ status }) => status);
        settle(seen);
        met.superseded += seen.filter(({ status }, at) => status === 'superseded' && before[at] !== status).length;
        met.cameBack += seen.filter(({ status }, at) => status === 'queued' && before[at] === 'superseded').length;
        expect(await Promise.all(seen.map(({ id }) => statusOf(id)))).toEqual(seen.map(({ status }) => status));
        await expectSound(seen);
      }
    }),
    { seed: 1812, numRuns: 120 },
  );
  expect(met.superseded).toBeGreaterThan(100);
  expect(met.cameBack).toBeGreaterThan(30);
}, 240_000);

async function act(
  kind: Exclude<Step['kind'], 'arrive'>,
  which: number,
  pick: (which: number, among: readonly Status[]) => Seen | undefined,
): Promise<void> {
  const among: Record<typeof kind, Status[]> = {
    announce: ['queued', 'waiting'],
    unsure: ['delivering'],
    calm: ['delivering'],
    create: ['delivering'],
    die: ['delivering', 'waiting', 'queued'],
    replay: ['dead'],
    look: ['queued'],
  };
  const one = pick(which, among[kind]);
  if (!one) return;
  if (kind === 'announce') {
    await announce(one.id);
    one.status = 'delivering';
  } else if (kind === 'unsure' || kind === 'calm') {
    const uncertainty = kind === 'unsure' ? { since: T, lookups: 0 } : null;
    await change(one.id, (delivery) => ({
      ...delivery,
      status: 'waiting',
      intent: null,
      uncertainty,
      dueAt: T + 1000,
    }));
    [one.status, one.unsure] = ['waiting', kind === 'unsure'];
  } else if (kind === 'create') {
    await create(one.id);
    one.status = 'delivered';
  } else if (kind === 'die') {
    await die(one.id);
    one.status = 'dead';
  } else if (kind === 'replay') {
    await revive(one.id);
    one.status = 'queued';
  }
}

/** Whoever was superseded points to a newer one that lives; counts and bytes are those of the records. */
async function expectSound(seen: readonly Seen[]): Promise<void> {
  let bytes = 0;
  for (const { id, minute, status } of seen) {
    const record = (await redis.client.get(keys.delivery(id))) ?? '';
    const { delivery, run: result } = await find(id);
    if (OPEN.includes(status) || (status === 'superseded' && result)) bytes += Buffer.byteLength(record);
    if (status !== 'superseded') continue;
    const newer = seen.find((other) => other.id === delivery.supersededBy);
    expect(newer?.minute).toBeGreaterThan(minute);
    if (result) expect(newer?.status).not.toBe('dead');
  }
  expect(await records.openBytes()).toBe(bytes);
  const counts = await records.counts();
  for (const [status, count] of Object.entries(counts))
    expect([status, count]).toEqual([status, seen.filter((one) => one.status === status).length]);
}
