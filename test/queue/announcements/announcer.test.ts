// Announcing over a real Redis to a real receiver: once however many processes look, whoever dies, and in a storm as one message.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openSend } from '../../../src/api/announcements.ts';
import { toAlerts } from '../../../src/config/alerts.ts';
import { environmentSchema } from '../../../src/config/environment.ts';
import { ROOM_FOR_ALL, type BacklogState, type Room } from '../../../src/domain/operations/backlog.ts';
import { createAnnouncedStore } from '../../../src/queue/announcements/announced.ts';
import { openAnnouncer, type Announcer, type AnnouncerParts } from '../../../src/queue/announcements/announcer.ts';
import { createReadFacts, type ReportedTenant } from '../../../src/queue/announcements/facts.ts';
import { openOutbox } from '../../../src/queue/announcements/outbox.ts';
import { createReporter } from '../../../src/queue/announcements/reporter.ts';
import { connect, disconnect, type RedisConnection } from '../../../src/queue/redis/connection.ts';
import { createAnnouncementKeys } from '../../../src/queue/redis/keys.ts';
import { purgeTenant } from '../../../src/queue/redis/move/purge-tenant.ts';
import { failed, holdAll, judge, release } from '../../support/hold.ts';
import { startReceiver, verifySignature, type Receiver } from '../../support/receiver.ts';
import { startTestRedis, type TestRedis } from '../../support/redis.ts';
import { openTestTenant, type OwnTenant } from '../../support/tenant.ts';
import { until } from '../../support/until.ts';

const KEYS = createAnnouncementKeys('runstate');
const TOLD_WITHIN_MS = 5000;
/** Where the time is not what is tested: on a busy machine everything takes longer. */
const WAITED_FOR_MS = 15_000;

let redis: TestRedis;
let receiver: Receiver;
let tenant: OwnTenant;
let connection: RedisConnection;
let troubles: Error[];
const announcers: (Announcer & { stop: () => Promise<void> })[] = [];
const redisTrouble = (error: Error) => void troubles.push(error);

beforeEach(async () => {
  [redis, receiver] = await Promise.all([startTestRedis(), startReceiver()]);
  tenant = await openTestTenant(redis);
  troubles = [];
  connection = connect(redis.config, 'work', redisTrouble);
});
afterEach(async () => {
  await Promise.all(announcers.splice(0).map((announcer) => announcer.stop()));
  await Promise.all([disconnect(connection), tenant.close()]);
  await Promise.all([redis.close(), receiver.close()]);
  expect(troubles).toEqual([]);
});

/** Announces as a process of its own does. */
async function start(parts: Partial<AnnouncerParts> = {}): Promise<Announcer> {
  const alerts = toAlerts(environmentSchema.parse(receiver.environment()));
  if (!alerts) throw new Error('there is no webhook');
  const own = connect(redis.config, 'work', redisTrouble);
  const announcer = openAnnouncer({
    redis: own,
    prefix: 'runstate',
    tenants: () => [tenant],
    accepts: false,
    send: await openSend(alerts, { proxy: null }),
    events: { announced: () => undefined, announcementFailed: () => undefined, redisTrouble },
    clock: Date.now,
    random: () => 0,
    ...parts,
  });
  const stop = async () => {
    await announcer.close();
    await disconnect(own);
  };
  announcers.push({ ...announcer, stop });
  return announcer;
}

const reporter = () =>
  createReporter({
    redis: connection,
    announced: createAnnouncedStore(connection, KEYS),
    readFacts: createReadFacts(connection),
    clock: Date.now,
  });
const countPending = () => redis.client.llen(KEYS.pending);
const named = (id: string): ReportedTenant => ({ ...tenant, id });
const typesTaken = () => receiver.taken().map(({ body }) => body.type);

test('a hold that begins and ends · is told once each, soon · by one of three processes, whichever looks', async () => {
  await Promise.all([start(), start(), start()]);
  const begunAt = performance.now();
  await holdAll(tenant.budget, 'credential-refused', 'the secret expired');
  const began = await receiver.untilTaken('hold.began', WAITED_FOR_MS);
  expect(began.at - begunAt).toBeLessThan(TOLD_WITHIN_MS);
  expect(verifySignature(began)).toMatchObject({
    tenant: 'default',
    reason: 'credential-refused',
    detail: 'All deliveries: the secret expired',
    link: '/dashboard?tenant=default',
  });
  await release(tenant.budget);
  await receiver.untilTaken('hold.ended', WAITED_FOR_MS);
  expect(typesTaken()).toEqual(['hold.began', 'hold.ended']);
});

test('a change that a process noticed · is told · without its turn to look at all tenants', async () => {
  await redis.client.set(KEYS.turn, '', 'PX', 60_000);
  const announcer = await start();
  await holdAll(tenant.budget, 'credential-refused', 'the secret expired');
  announcer.notice('default');
  await receiver.untilTaken('hold.began', WAITED_FOR_MS);
  expect(typesTaken()).toEqual(['hold.began']);
});

test('many that look at once · note a change once', async () => {
  await holdAll(tenant.budget, 'credential-refused', 'the secret expired');
  await Promise.all(Array.from({ length: 20 }, () => reporter().look([tenant], 'stored')));
  expect(await countPending()).toBe(1);
});

test('a process that saw earlier facts · does not take back what another one noted', async () => {
  let passOn: () => void = () => undefined;
  const delayed = new Promise<void>((resolve) => (passOn = resolve));
  const readFacts = createReadFacts(connection);
  const slow = createReporter({
    redis: connection,
    announced: createAnnouncedStore(connection, KEYS),
    readFacts: async (...asked) => {
      const facts = await readFacts(...asked);
      await delayed;
      return facts;
    },
    clock: Date.now,
  });
  await holdAll(tenant.budget, 'credential-refused', 'the secret expired');
  const looking = slow.look([tenant], 'stored');
  await reporter().look([tenant], 'stored');
  await release(tenant.budget);
  await reporter().look([tenant], 'stored');
  expect(await countPending()).toBe(2);
  await holdAll(tenant.budget, 'credential-refused', 'again');
  await reporter().look([tenant], 'stored');
  passOn();
  await looking;
  await reporter().look([tenant], 'stored');
  expect(await countPending()).toBe(3);
});

test('a process that died with a batch in its hands · another queues it, and each message once', async () => {
  await holdAll(tenant.budget, 'credential-refused', 'the secret expired');
  await reporter().look([tenant], 'stored');
  const dying = connect(redis.config, 'work', () => undefined);
  const outbox = openOutbox(dying, KEYS, () => undefined);
  const add = outbox.queue.addBulk.bind(outbox.queue);
  // It gets as far as queueing, and no further.
  outbox.queue.addBulk = async (jobs) => {
    await add(jobs);
    throw new Error('killed');
  };
  await until('a batch was taken', () =>
    outbox.queueMessages().then(
      () => false,
      () => true,
    ),
  );
  expect(await redis.client.hexists(KEYS.rounds, 'batch')).toBe(1);
  await start();
  await receiver.untilTaken('hold.began', WAITED_FOR_MS);
  await until('the batch ended', async () => (await redis.client.hexists(KEYS.rounds, 'batch')) === 0);
  expect(typesTaken()).toEqual(['hold.began']);
  await outbox.close();
  await disconnect(dying);
});

test('hundreds of configurations and tenants held at once · are one message with a count', async () => {
  const configurations = Array.from(
    { length: 40 },
    (_, number) => `${String(number).padStart(8, '0')}-0000-4000-8000-000000000000`,
  );
  // While others are created, each is held alone.
  await judge(tenant.budget, { kind: 'created', deviceRunStateId: 'r', graph: { status: 201, requestId: null } });
  for (const configuration of configurations) await judge(tenant.budget, failed('forbidden', '403'), { configuration });
  const tenants = Array.from({ length: 10 }, (_, number) => named(`tenant-${number}`));
  await start({ tenants: () => tenants });
  const { body } = await receiver.untilTaken('hold.began', WAITED_FOR_MS);
  expect(body).toMatchObject({ count: 400, tenant: null, reason: 'forbidden' });
  expect(body.detail).toMatch(/^400 × hold\.began\. 10 tenants: /);
  expect(receiver.taken()).toHaveLength(1);
});

test('a hold that comes and goes · is told ten times, and then together a minute later', async () => {
  const outbox = openOutbox(connection, KEYS, redisTrouble);
  const collected = () => redis.client.hincrby(KEYS.rounds, 'since', -1000);
  const queued = async () => (await outbox.queue.getJobCounts('waiting'))['waiting'] ?? 0;
  for (let round = 0; round < 10; round += 1) {
    await holdAll(tenant.budget, 'credential-refused', 'the secret expired');
    await reporter().look([tenant], 'stored');
    await collected();
    await outbox.queueMessages();
    await release(tenant.budget);
    await reporter().look([tenant], 'stored');
    await collected();
    await outbox.queueMessages();
  }
  expect(await queued()).toBe(10);
  expect(await countPending()).toBe(10);
  await redis.client.hincrby(KEYS.rounds, 'at', -61_000);
  await outbox.queueMessages();
  expect([await countPending(), await queued()]).toEqual([0, 12]);
  const counts = (await outbox.queue.getJobs('waiting')).map(({ data }) => `${data.type} ${data.count}`);
  expect(counts.filter((count) => !count.endsWith(' 1')).sort()).toEqual(['hold.began 5', 'hold.ended 5']);
  await outbox.close();
});

test('a receiver that fails · gets the message again, with the same id · until it takes it', async () => {
  receiver.answer = (response) => response.writeHead(503).end();
  const failures: string[] = [];
  await start({
    events: {
      announced: () => undefined,
      announcementFailed: (_message, { detail, attempts, isLast }) =>
        void failures.push(`${attempts} ${detail} ${isLast}`),
      redisTrouble,
    },
  });
  await holdAll(tenant.budget, 'credential-refused', 'the secret expired');
  await until('it failed', () => failures.length === 1, WAITED_FOR_MS);
  receiver.answer = null;
  const outbox = openOutbox(connection, KEYS, redisTrouble);
  await until('it waits', async () => (await outbox.queue.getJobCounts('delayed'))['delayed'] === 1);
  await outbox.queue.promoteJobs();
  await outbox.close();
  await receiver.untilTaken('hold.began', WAITED_FOR_MS);
  expect(failures).toEqual(['1 answered 503 false']);
  expect(new Set(receiver.received.map(({ id }) => id)).size).toBe(1);
  expect(receiver.received).toHaveLength(2);
  // Nothing of the answers is kept, nor the address.
  const stored = await redis.client.keys('*');
  const texts = await Promise.all(stored.map((key) => redis.client.dump(key)));
  expect(texts.join()).not.toContain('not-for-logs');
});

test('a message that nobody takes for a day · is given up · and that is reported', async () => {
  receiver.answer = (response) => response.writeHead(503).end();
  const failures: boolean[] = [];
  await start({
    clock: () => Date.now() + 24 * 3_600_000,
    events: {
      announced: () => undefined,
      announcementFailed: (_message, { isLast }) => void failures.push(isLast),
      redisTrouble,
    },
  });
  await holdAll(tenant.budget, 'credential-refused', 'the secret expired');
  const outbox = openOutbox(connection, KEYS, redisTrouble);
  await until(
    'it was given up',
    async () => (await outbox.queue.getJobCounts('failed'))['failed'] === 1,
    WAITED_FOR_MS,
  );
  await outbox.close();
  expect(failures).toEqual([true]);
});

test('durability that is weak · is told · of no tenant', async () => {
  await redis.client.config('SET', 'appendfsync', 'everysec');
  await start();
  const { body } = await receiver.untilTaken('durability.weak', WAITED_FOR_MS);
  expect(body).toMatchObject({ tenant: null, reason: 'everysec', link: '/dashboard' });
});

test('a backlog that is full, and has room again · is told by what processes know together', async () => {
  let decide: (known: Room) => BacklogState = () => ROOM_FOR_ALL;
  const accepting = { ...tenant, judgeBacklog: (known: Room) => decide(known) };
  await Promise.all([start({ tenants: () => [accepting], accepts: true }), start()]);
  decide = () => ({ room: 'none', reason: '12 MiB wait' });
  await receiver.untilTaken('backlog.full', WAITED_FOR_MS);
  // In between, only what was full stays full.
  decide = (known) => (known === 'all' ? ROOM_FOR_ALL : { room: 'failures', reason: '11 MiB wait' });
  await reporter().look([accepting], 'backlog');
  expect(await countPending()).toBe(0);
  decide = () => ROOM_FOR_ALL;
  await receiver.untilTaken('backlog.room', WAITED_FOR_MS);
  expect(typesTaken()).toEqual(['backlog.full', 'backlog.room']);
});

test('more than is kept · is counted', async () => {
  const store = createAnnouncedStore(connection, KEYS);
  const outbox = openOutbox(connection, KEYS, redisTrouble);
  const announcement = {
    type: 'hold.began',
    tenant: 'a',
    reason: 'forbidden',
    detail: '',
    remedy: '',
    since: 1,
    at: 1,
  } as const;
  const announcements = Array.from({ length: 510 }, () => announcement);
  const [before] = await store.ofTenants(['a']);
  if (!before) throw new Error('nothing was read');
  const after = { holds: {}, deaths: null, backlogFull: { since: 1 } };
  expect(await store.note('a', { before, after, announcements })).toBe(true);
  expect(await store.note('a', { before, after, announcements })).toBe(false);
  expect(await countPending()).toBe(500);
  await until('it was queued', async () => {
    await outbox.queueMessages();
    return (await countPending()) === 0;
  });
  const [job] = await outbox.queue.getJobs('waiting');
  expect(job?.data.count).toBe(510);
  await outbox.close();
});

test('a tenant that is purged · leaves nothing of what was announced', async () => {
  await holdAll(tenant.budget, 'credential-refused', 'the secret expired');
  await reporter().look([tenant], 'stored');
  expect(await redis.client.hexists(KEYS.announced, 'default')).toBe(1);
  await purgeTenant({ connection, prefix: 'runstate' }, 'default');
  expect(await redis.client.hexists(KEYS.announced, 'default')).toBe(0);
});
