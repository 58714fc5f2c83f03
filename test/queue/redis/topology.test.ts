// The same queue on Redis Cluster and behind Sentinel, with real servers: every script finds its keys, a failover loses nothing.
import { afterEach, expect, test } from 'vitest';
import { parseConfig } from '../../../src/config/config.ts';
import { keyOfHold } from '../../../src/domain/hold/hold.ts';
import { createEvents } from '../../../src/telemetry/events.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { createMetrics } from '../../../src/telemetry/metrics.ts';
import { startConsumer } from '../../support/consume.ts';
import { GROUP_KEY } from '../../support/device.ts';
import { failed, judge, ONE, OTHER, works } from '../../support/hold.ts';
import { BESIDE, documentedRules } from '../../support/redis-rights.ts';
import { createRedisServers, freeRedisPort, type RedisServers } from '../../support/redis-servers.ts';
import { aRun, openTestTenant, POLICY, healthOf, type OwnTenant } from '../../support/tenant.ts';
import { until } from '../../support/until.ts';

let servers: RedisServers;

afterEach(() => servers.close());

async function deliverAll(queue: OwnTenant, ids: string[]): Promise<void> {
  let number = 0;
  const consumer = startConsumer(queue, {
    deliver: () =>
      Promise.resolve({
        kind: 'created',
        deviceRunStateId: `record-${number++}`,
        graph: { status: 201, requestId: 'q' },
      }),
    events: createEvents(createLog('worker', 'silent'), createMetrics()),
    policy: POLICY,
    concurrency: 5,
    clock: Date.now,
    random: Math.random,
  });
  await until(
    'all are delivered',
    async () =>
      (await Promise.all(ids.map((id) => queue.deliveries.find(id)))).every((found) => found?.status === 'delivered'),
    20_000,
  );
  await consumer.close();
}

async function acceptAll(queue: OwnTenant, numbers: number[]): Promise<string[]> {
  const answers = await Promise.all(numbers.map((number) => queue.deliveries.accept(aRun(number), 1)));
  return answers.map((answer) => (answer.kind === 'conflict' ? '' : answer.delivery.id));
}

/** One configuration is held: its deliveries are parked, one probes, and all are delivered. */
async function parkAndRelease(queue: OwnTenant): Promise<void> {
  await judge(queue.budget, works, { configuration: OTHER });
  await judge(queue.budget, failed('forbidden', '403'), { id: 'another' });
  const ids = await acceptAll(queue, [11, 12, 13, 14, 15]);
  await until('all but a probe are parked', async () => {
    await queue.deliveries.promote();
    const { parked } = await queue.budget.state();
    return (parked[keyOfHold('create', ONE)] ?? 0) === ids.length - 1;
  });
  expect(await queue.deliveries.counts()).toMatchObject({ queued: 5 });
  await deliverAll(queue, ids);
  expect(await queue.budget.state()).toMatchObject({ holds: [], parked: {} });
  expect(await queue.redis.smembers(queue.keys.parkedSets)).toEqual([]);
}

const ADMIN = 'the-administrators';
const USER = { REDIS_USERNAME: 'bridge', REDIS_PASSWORD: 'the-bridges' };
const userLine = (rules: readonly string[]) => `user bridge ${rules.join(' ')}`;
const rules = documentedRules(USER.REDIS_PASSWORD);

/** Open to everybody, or with a password and a user who has the documented rights, or with TLS as well. */
type Access = 'open' | 'a restricted user' | 'a restricted user and TLS';
const ACCESSES: Access[] = ['open', 'a restricted user', 'a restricted user and TLS'];

async function setUp(access: Access, topology: Record<string, string>) {
  const isOpen = access === 'open';
  servers = await createRedisServers(isOpen ? undefined : { password: ADMIN, tls: access.endsWith('TLS') });
  const env = {
    DEVICE_GROUP_KEYS: GROUP_KEY,
    ...topology,
    ...(!isOpen && USER),
    REDIS_TLS: access.endsWith('TLS') ? 'on' : 'off',
  };
  return { config: parseConfig(env, 'api').redis, isOpen };
}

test.each(ACCESSES)(
  'a cluster of three, %s · keeps a tenant in one slot · so everything works there',
  async (access) => {
    const ports = [await freeRedisPort(), await freeRedisPort(), await freeRedisPort()];
    const addresses = ports.map((port) => `127.0.0.1:${port}`);
    const { config, isOpen } = await setUp(access, { REDIS_CLUSTER: addresses.join() });
    for (const port of ports) {
      await servers.start(`node-${port}`, port, {
        lines: [
          'cluster-enabled yes',
          `cluster-config-file nodes-${port}.conf`,
          'appendonly no',
          'save ""',
          ...(isOpen ? [] : [userLine([...rules, ...BESIDE.inCluster])]),
        ],
      });
    }
    await servers.cluster(ports);
    const queue = await openTestTenant({ config });
    try {
      await deliverAll(queue, await acceptAll(queue, [1, 2, 3, 4, 5]));
      expect(await queue.deliveries.counts()).toMatchObject({ delivered: 5, queued: 0 });
      expect((await queue.deliveries.accept(aRun(1), 1)).kind).toBe('duplicate');
      expect((await queue.deliveries.search('device-3')).deliveries).toHaveLength(1);
      expect(await healthOf(queue).readiness()).toMatchObject({
        checks: { redis: { ok: true } },
      });
      await parkAndRelease(queue);
    } finally {
      await queue.close();
    }
    for (const port of ports) expect(await denied(port)).toEqual([]);
  },
  60_000,
);

test.each(ACCESSES)(
  'a master behind Sentinel dies, %s · its replica takes over · and what was accepted is delivered',
  async (access) => {
    const [master, replica, sentinel] = [await freeRedisPort(), await freeRedisPort(), await freeRedisPort()];
    const { config, isOpen } = await setUp(access, {
      REDIS_SENTINELS: `127.0.0.1:${sentinel}`,
      REDIS_SENTINEL_NAME: 'runs',
    });
    const secured = isOpen ? [] : [`masterauth ${ADMIN}`, userLine(rules)];
    const first = await servers.start('master', master, {
      lines: [
        'appendonly yes',
        'appendfsync always',
        'save ""',
        'appenddirname master-aof',
        'repl-diskless-sync-delay 0',
        ...secured,
      ],
    });
    await servers.start('replica', replica, {
      lines: [`replicaof 127.0.0.1 ${master}`, 'appendonly yes', 'save ""', 'appenddirname replica-aof', ...secured],
    });
    await servers.start('sentinel', sentinel, {
      lines: [
        `sentinel monitor runs 127.0.0.1 ${master} 1`,
        'sentinel down-after-milliseconds runs 1000',
        'sentinel failover-timeout runs 3000',
        ...(isOpen
          ? []
          : [
              `sentinel auth-pass runs ${ADMIN}`,
              userLine([`on >${USER.REDIS_PASSWORD} -@all`, ...BESIDE.atSentinels]),
            ]),
      ],
      args: ['--sentinel'],
    });
    const { cli } = servers;
    await until(
      'the replica is known',
      async () => (await cli(sentinel, 'SENTINEL', 'replicas', 'runs')).includes(String(replica)),
      20_000,
    );
    const queue = await openTestTenant({ config });
    try {
      const before = await acceptAll(queue, [1, 2, 3]);
      await until(
        'the replica has it',
        async () => (await cli(master, 'DBSIZE')) === (await cli(replica, 'DBSIZE')),
        20_000,
      );
      if (!isOpen) expect([...(await denied(master)), ...(await denied(sentinel))]).toEqual([]);
      await servers.kill(first);
      // As a device does: what was not answered is sent again.
      const after = await until('the replica accepts', () => acceptAll(queue, [4, 5]).catch(() => null), 90_000);
      await deliverAll(queue, [...before, ...after]);
      expect(await queue.deliveries.counts()).toMatchObject({ delivered: 5, queued: 0 });
    } finally {
      await queue.close();
    }
    if (!isOpen) expect([...(await denied(replica)), ...(await denied(sentinel))]).toEqual([]);
  },
  120_000,
);

test('one server that speaks TLS alone · is reached by rediss, or by REDIS_TLS · and by nothing else', async () => {
  const port = await freeRedisPort();
  const { config } = await setUp('a restricted user and TLS', { REDIS_URL: `redis://127.0.0.1:${port}` });
  await servers.start('single', port, { lines: ['appendonly no', 'save ""', userLine(rules)] });
  const { REDIS_USERNAME, REDIS_PASSWORD } = USER;
  const url = `rediss://${REDIS_USERNAME}:${REDIS_PASSWORD}@127.0.0.1:${port}`;
  for (const [number, reachable] of [
    config,
    parseConfig({ DEVICE_GROUP_KEYS: GROUP_KEY, REDIS_URL: url }, 'api').redis,
  ].entries()) {
    const queue = await openTestTenant({ config: reachable }, { purpose: 'answer' });
    expect((await queue.deliveries.accept(aRun(number), 1)).kind).toBe('accepted');
    await queue.close();
  }
  const plain = await openTestTenant(
    { config: { ...config, access: { username: null, password: null, tls: false } } },
    { purpose: 'answer' },
  );
  await expect(plain.deliveries.accept(aRun(9), 1)).rejects.toThrow();
  await plain.close();
});

/** Commands that were refused, but for what gives connections names. */
async function denied(port: number): Promise<string[]> {
  const log = await servers.cli(port, 'ACL', 'LOG');
  return [...log.matchAll(/^object\n(.*)$/gm)]
    .map(([, name = '']) => name)
    .filter((name) => !name.startsWith('client'));
}
