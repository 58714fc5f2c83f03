// Data of a newer version: neither read nor changed nor forgotten, and no defect; everything else goes on.
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { createHealth } from '../../../src/api/health.ts';
import { begin, type Delivery } from '../../../src/domain/delivery.ts';
import { READS_FORMAT } from '../../../src/queue/lua/constants.ts';
import { LeftAlone } from '../../../src/queue/store/left-alone.ts';
import type { Deliver } from '../../../src/queue/worker/process-delivery.ts';
import { createEvents } from '../../../src/telemetry/events.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { startConsumer, type TestConsumer } from '../../support/consume.ts';
import { buryDeliveries } from '../../support/dead-letters.ts';
import { startFreshRedis } from '../../support/fresh-redis.ts';
import { created } from '../../support/outcomes.ts';
import type { TestRedis } from '../../support/redis.ts';
import { aRun, healthOf, openTestTenant, type OwnTenant } from '../../support/tenant.ts';
import { until } from '../../support/until.ts';

const NEWER = READS_FORMAT + 1;
const MARK = `v${NEWER} `;
const isNewer = (scope: string) => expect.objectContaining({ name: LeftAlone.name, scope, reason: 'newer' }) as unknown;

let redis: TestRedis;
let tenant: OwnTenant;
let lines: Record<string, unknown>[];
const consumers: TestConsumer[] = [];
const metrics = createMetrics();

startFreshRedis((started) => void (redis = started), '--appendonly', 'no');
beforeEach(async () => {
  lines = [];
  tenant = await openTestTenant(redis, { supersede: true });
});
afterEach(async () => {
  for (const consumer of consumers.splice(0)) await consumer.close();
  await tenant.close();
});

async function accept(number: number | string, members: Parameters<typeof aRun>[1] = {}): Promise<string> {
  const accepted = await tenant.deliveries.accept(aRun(number, members), Date.now());
  if (accepted.kind !== 'accepted') throw new Error(accepted.kind);
  return accepted.delivery.id;
}

/** As if a newer version had written it last. @returns the text */
async function markAsNewer(id: string): Promise<string> {
  const text = `${MARK}${(await textOf(id)) ?? ''}`;
  await redis.client.set(tenant.keys.delivery(id), text);
  return text;
}

const textOf = (id: string) => redis.client.get(tenant.keys.delivery(id));
const raiseFormat = (format: number) => redis.client.hset(tenant.keys.counts, 'format', format);

/** @returns the ids of attempts */
function work(deliver: Deliver = ({ id }) => Promise.resolve(created(`record-${id}`))): string[] {
  const attempted: string[] = [];
  const log = createLog('worker', 'warn', {
    write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>),
    flushSync: () => undefined,
    report: () => undefined,
  });
  consumers.push(
    startConsumer(tenant, {
      events: createEvents(log, metrics),
      deliver: (delivery, ...others) => {
        attempted.push(delivery.id);
        return deliver(delivery, ...others);
      },
    }),
  );
  return attempted;
}

const leftAlone = () => lines.filter(({ msg }) => msg === 'left alone: data of a newer version');
const defects = () => lines.filter(({ msg }) => String(msg).startsWith('defect'));
const isDelivered = async (id: string) => (await tenant.deliveries.find(id))?.status === 'delivered';

test('a record of a newer version · is left alone by a worker · which says so once and does the others', async () => {
  const ids = [await accept(1), await accept(2), await accept(3)] as const;
  const [first, second] = [await markAsNewer(ids[0]), await markAsNewer(ids[1])];
  const attempted = work();
  await until('the other one is delivered', () => isDelivered(ids[2]));
  await until('both are put off', async () => (await redis.client.zcard(tenant.keys.putOff)) === 2);
  expect(attempted).toEqual([ids[2]]);
  expect([await textOf(ids[0]), await textOf(ids[1])]).toEqual([first, second]);
  expect(leftAlone()).toMatchObject([
    { scope: 'record', detail: expect.stringContaining(`format ${NEWER}`) as unknown },
  ]);
  expect(defects()).toEqual([]);
});

test('a record of a newer version · sent again or asked for · is refused for now, and the run beside it is accepted', async () => {
  const id = await accept(1);
  const text = await markAsNewer(id);
  const [again, other] = await Promise.allSettled([
    tenant.deliveries.accept(aRun(1), Date.now()),
    tenant.deliveries.accept(aRun(2), Date.now()),
  ]);
  expect(again).toEqual({ status: 'rejected', reason: isNewer('record') });
  expect(other).toMatchObject({ status: 'fulfilled', value: { kind: 'accepted' } });
  await expect(tenant.deliveries.find(id)).rejects.toEqual(isNewer('record'));
  expect(await tenant.deliveries.findAll([id])).toEqual([null]);
  expect(await textOf(id)).toBe(text);
});

test('a record that a newer version wrote meanwhile · is not saved over', async () => {
  const id = await accept(1);
  const stored = await tenant.deliveries.load(id);
  if (!stored) throw new Error('not stored');
  const text = await markAsNewer(id);
  const saved = await tenant.deliveries.save(stored, begin(stored.delivery, 1), { now: 1 });
  expect(saved).toEqual({ kind: 'stale' });
  expect(await textOf(id)).toBe(text);
});

test('a dead letter of a newer version · is neither replayed nor purged · and the others are', async () => {
  const [newer = '', old = ''] = await buryDeliveries({ redis, queue: tenant }, 2, (number) => 1000 + number);
  const text = await markAsNewer(newer);
  const { deadLetters } = await tenant.deadLetters.list({}, 10, null);
  expect(deadLetters.map(({ id }) => id)).toEqual([old]);
  expect(await tenant.deadLetters.replay({ filter: {} }, 2000)).toBe(1);
  expect(await tenant.deadLetters.purge({ filter: {} })).toBe(0);
  expect(await tenant.deadLetters.purge({ deliveryId: newer })).toBe(0);
  expect(await textOf(newer)).toBe(text);
  expect(await redis.client.zrange(tenant.keys.dead, '0', '-1')).toEqual([newer]);
});

test('a record of a newer version · stays in the index · whether that is swept or built again', async () => {
  const id = await accept(1);
  const text = await markAsNewer(id);
  const chunk = `${tenant.keys.root}:ix:1`;
  // One of another day begins the next chunk, so this one is complete, and due.
  await tenant.deliveries.accept(aRun(2), Date.now() + 30 * 86_400_000);
  await tenant.deliveries.sweepIndex();
  expect(await redis.client.exists(chunk)).toBe(1);
  expect(await tenant.deliveries.rebuildIndex(() => undefined)).toMatchObject({ records: 1, added: 0 });
  expect(await redis.client.exists(chunk)).toBe(1);
  expect(await textOf(id)).toBe(text);
});

test('a superseded record of a newer version · does not come back here · and is not forgotten', async () => {
  const at = (minute: number) => new Date(Date.now() - 3_600_000 + minute * 60_000).toISOString();
  const older = await accept(1, { deviceId: 'device', completedAt: at(1) });
  const newest = await accept(2, { deviceId: 'device', completedAt: at(2) });
  const statusOf = async (id: string) => (await tenant.deliveries.find(id))?.status;
  await until('the older one is superseded', async () => (await statusOf(older)) === 'superseded');
  const text = await markAsNewer(older);
  const stored = await tenant.deliveries.load(newest);
  if (!stored) throw new Error('not stored');
  const dead: Delivery = { ...begin(stored.delivery, 1), intent: null, status: 'dead' };
  expect(await tenant.deliveries.save(stored, dead, { now: 2 })).toMatchObject({ kind: 'saved' });
  expect(await textOf(older)).toBe(text);
  const [results = ''] = await redis.client.keys(`${tenant.keys.root}:c:*`);
  expect(await redis.client.zrange(results, '0', '-1')).toEqual([expect.stringMatching(` ${older}$`)]);
});

test('a tenant that a newer version has taken over · is left alone from that moment · and said not to be ready', async () => {
  const id = await accept(1);
  await raiseFormat(NEWER);
  const before = await redis.client.dump(tenant.keys.counts);
  await expect(tenant.deliveries.accept(aRun(2), Date.now())).rejects.toEqual(isNewer('tenant'));
  await expect(tenant.readSnapshot()).rejects.toEqual(isNewer('tenant'));
  const ready = await healthOf(tenant).readiness();
  expect(ready).toMatchObject({
    status: 'failing',
    checks: { data: { ok: false, detail: expect.stringContaining('update this process') as unknown } },
  });
  const attempted = work();
  await until('the worker said so', () => leftAlone().length > 0);
  expect(attempted).toEqual([]);
  expect(defects()).toEqual([]);
  expect(await redis.client.dump(tenant.keys.counts)).toBe(before);
  await raiseFormat(READS_FORMAT);
  await until('it is delivered after all', () => isDelivered(id), 20_000);
  expect(leftAlone()).toHaveLength(1);
}, 30_000);

test('a tenant that a newer version takes over · while a create is under way · keeps the intent, by which that version knows', async () => {
  const id = await accept(1);
  work(async (delivery) => {
    await raiseFormat(NEWER);
    return created(`record-${delivery.id}`);
  });
  await until('the worker said so', () => leftAlone().length > 0);
  await raiseFormat(READS_FORMAT);
  expect(await tenant.deliveries.find(id)).toMatchObject({ status: 'delivering', intent: { sends: 'create' } });
  expect(defects()).toEqual([]);
});

test('one tenant that a newer version has taken over · stops no other one · and the process stays ready', async () => {
  const other = await openTestTenant(redis, { id: 'other' });
  onTestFinished(other.close);
  await raiseFormat(NEWER);
  const accepted = await other.deliveries.accept(aRun(1), Date.now());
  expect(accepted.kind).toBe('accepted');
  const health = createHealth({
    redis: { connection: tenant.redis, jobs: tenant.jobs, explainSilence: tenant.explainSilence },
    tenants: () => [tenant, other].map((one) => ({ tenant: { ...one, close: () => undefined }, directory: null })),
    metrics: createMetrics(),
    labelsOf: (id) => ({ tenant: id }),
  });
  expect(await health.readiness()).toMatchObject({
    status: 'degraded',
    checks: { data: { ok: false, detail: expect.stringMatching(/^1 of 2 tenants; default: left alone/) as unknown } },
  });
  const { text } = await health.metrics();
  expect(text).toContain('runstate_deliveries{status="queued",tenant="other"} 1');
  expect(text).not.toContain('tenant="default"');
});
