// REDIS_MIN_REPLICAS with real servers: nothing is acknowledged or sent that a failover could lose.
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ChildProcess } from 'node:child_process';
import { Redis } from 'ioredis';
import { parseConfig } from '../../../../src/config/config.ts';
import { begin } from '../../../../src/domain/delivery.ts';
import { toSavedCompacted } from '../../../../src/queue/store/compacted.ts';
import { fingerprintOf, toSavedRun } from '../../../../src/queue/store/record.ts';
import { openReplication } from '../../../../src/queue/redis/replicas/replication.ts';
import { NotReplicated } from '../../../../src/queue/redis/replicas/shared-wait.ts';
import { createEvents } from '../../../../src/telemetry/events.ts';
import { createLog } from '../../../../src/telemetry/log.ts';
import { createMetrics } from '../../../../src/telemetry/metrics.ts';
import { startConsumer } from '../../../support/consume.ts';
import { GROUP_KEY } from '../../../support/device.ts';
import { attemptOf, created } from '../../../support/outcomes.ts';
import { BESIDE, documentedRules } from '../../../support/redis-rights.ts';
import { createRedisServers, freeRedisPort, type RedisServers } from '../../../support/redis-servers.ts';
import { aRun, healthOf, openTestTenant, POLICY, type OwnTenant } from '../../../support/tenant.ts';
import { until } from '../../../support/until.ts';

const PASSWORD = 'the-administrators';
const USER = { REDIS_USERNAME: 'bridge', REDIS_PASSWORD: 'the-bridges' };
const rules = documentedRules(USER.REDIS_PASSWORD);

let servers: RedisServers;
let primaryPort: number;
let replicaPort: number;
let replica: ChildProcess;
let queue: OwnTenant | null;

const LINES = ['appendonly yes', 'appendfsync always', 'save ""', 'repl-diskless-sync-delay 0'];
const secured = [`masterauth ${PASSWORD}`, `user bridge ${[...rules, ...BESIDE.waiting].join(' ')}`];

beforeEach(async () => {
  queue = null;
  servers = await createRedisServers({ password: PASSWORD, tls: false });
  [primaryPort, replicaPort] = [await freeRedisPort(), await freeRedisPort()];
  await servers.start('primary', primaryPort, { lines: [...LINES, 'appenddirname primary', ...secured] });
  replica = await startReplica();
});
afterEach(async () => {
  replica.kill('SIGCONT');
  await queue?.close();
  await servers.close();
});

async function startReplica(): Promise<ChildProcess> {
  const lines = [...LINES, 'appenddirname replica', `replicaof 127.0.0.1 ${primaryPort}`, ...secured];
  const started = await servers.start('replica', replicaPort, { lines });
  await follows(replicaPort);
  return started;
}

/** As the primary sees it, and once it has written to disk what it copied, which takes all its time. */
const follows = (port: number) =>
  until('the replica follows', async () => {
    const [of, copy] = await Promise.all([servers.cli(primaryPort, 'INFO', 'replication'), servers.cli(port, 'INFO')]);
    const isOnDisk = /aof_rewrite_in_progress:0[^]*aof_rewrite_scheduled:0/.test(copy);
    return of.includes('state=online') && copy.includes('master_link_status:up') && isOnDisk;
  });

const toConfig = (env: Record<string, string>) =>
  parseConfig({ DEVICE_GROUP_KEYS: GROUP_KEY, REDIS_MIN_REPLICAS: '1', ...USER, ...env }, 'api').redis;
const onPort = (port: number) => toConfig({ REDIS_URL: `redis://127.0.0.1:${port}` });

async function open(purpose: 'work' | 'answer' = 'answer'): Promise<OwnTenant> {
  queue = await openTestTenant({ config: onPort(primaryPort) }, { purpose });
  return queue;
}

/** As a device does, which comes again until it hears that its result is safe: a busy machine may be late. @returns the delivery's id */
const acknowledge = ({ deliveries }: OwnTenant, number: number, withinMs = 5000): Promise<string> =>
  until(
    'it is acknowledged',
    () =>
      deliveries.accept(aRun(number), 1).then(
        (answer) => (answer.kind === 'conflict' ? null : answer.delivery.id),
        () => null,
      ),
    withinMs,
  );

test('a run result · is acknowledged once a replica has it · and the replica, promoted, has it', async () => {
  const tenant = await open();
  const numbers = Array.from({ length: 200 }, (_, number) => number);
  const ids = await Promise.all(numbers.map((number) => acknowledge(tenant, number)));
  await servers.cli(replicaPort, 'REPLICAOF', 'NO', 'ONE');
  const promoted = await openTestTenant({ config: { ...onPort(replicaPort), minReplicas: 0 } });
  try {
    expect((await promoted.deliveries.findAll(ids)).filter((found) => found === null)).toEqual([]);
  } finally {
    await promoted.close();
  }
});

test('a replica that does not answer · nothing is acknowledged · until it does, and then once', async () => {
  const tenant = await open();
  const { deliveries } = tenant;
  await acknowledge(tenant, 1);
  replica.kill('SIGSTOP');
  await expect(deliveries.accept(aRun(2), 1)).rejects.toThrow(NotReplicated);
  // Not even what is known: the promise is the same.
  await expect(deliveries.accept(aRun(1), 1)).rejects.toThrow('0 of 1 replicas have it after 1000 ms');
  expect(await healthOf(tenant).readiness()).toMatchObject({
    status: 'failing',
    checks: { replicas: { ok: false } },
  });
  // A device forgets what is refused for good, so that has to be true after a failover as well.
  await expect(deliveries.accept(aRun(2, { exitCode: 1 }), 1)).rejects.toThrow(NotReplicated);
  replica.kill('SIGCONT');
  await follows(replicaPort);
  await acknowledge(tenant, 2);
  expect((await deliveries.accept(aRun(2, { exitCode: 1 }), 1)).kind).toBe('conflict');
  expect(await deliveries.counts()).toMatchObject({ queued: 2 });
});

test('a worker without a replica · sends nothing · and delivers once when there is one', async () => {
  const tenant = await open('work');
  const { deliveries } = tenant;
  const id = await acknowledge(tenant, 1);
  replica.kill('SIGSTOP');
  let sent = 0;
  const troubles: string[] = [];
  const events = createEvents(createLog('worker', 'silent'), createMetrics());
  const consumer = startConsumer(tenant, {
    deliver: () => {
      sent += 1;
      return Promise.resolve(created('record-1'));
    },
    events: {
      ...events,
      redisTrouble: (error) => void troubles.push(error.message),
      defect: (error) => expect.fail(String(error)),
    },
    policy: POLICY,
    concurrency: 5,
    clock: Date.now,
    random: Math.random,
  });
  try {
    await until('it was not sent', () => troubles.some((trouble) => trouble.startsWith('not replicated')));
    expect([sent, await deliveries.find(id)]).toMatchObject([0, { status: 'queued', intent: null, attemptsMade: 0 }]);
    replica.kill('SIGCONT');
    await until('it is delivered', async () => (await deliveries.find(id))?.status === 'delivered', 20_000);
    expect(sent).toBe(1);
  } finally {
    await consumer.close();
  }
}, 30_000);

test('a server that was not written to, as after a failover · does not vouch · though its replicas follow', async () => {
  const tenant = await open();
  const { keys } = tenant;
  const id = await acknowledge(tenant, 1);
  const replication = await openReplication(onPort(primaryPort), keys.root, () => undefined);
  try {
    const { waitFor } = replication.of(keys.root);
    const fingerprint = fingerprintOf((await tenant.redis.get(keys.delivery(id))) ?? '');
    await expect(waitFor(toSavedRun(keys.delivery(id), `${fingerprint}x`))).rejects.toThrow(
      'the server that answers now does not have it',
    );
    const others = await Promise.allSettled([
      waitFor(toSavedRun(keys.delivery('dAAAAAAAAAAAAAAAAAAAAAA'), fingerprint)),
      waitFor(toSavedRun(keys.delivery(id), fingerprint)),
    ]);
    expect(others.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
  } finally {
    await replication.close();
  }
});

test('two servers that took a change each, as while a failover is under way · only the one that has it vouches · though it is of the same instant', async () => {
  const { deliveries, keys, redis } = await open();
  const id = await acknowledge({ deliveries } as OwnTenant, 1);
  const before = await redis.get(keys.delivery(id));
  const stored = await deliveries.load(id);
  if (!stored) throw new Error('nothing was stored');
  const announce = async () => {
    const announced = await deliveries.save(stored, begin(stored.delivery, 5), { now: 5 });
    if (announced.kind !== 'saved') throw new Error(`not saved: ${announced.kind}`);
    return announced;
  };
  const elsewhere = await announce();
  await redis.set(keys.delivery(id), before ?? '');
  const here = await announce();
  await expect(deliveries.replicated(elsewhere)).rejects.toThrow('the server that answers now does not have it');
  await deliveries.replicated(here);
});

test('a compacted run, sent again · is acknowledged once a replica has what is left of it · and by no server without that', async () => {
  queue = await openTestTenant({ config: onPort(primaryPort) }, { purpose: 'answer', deliveredKeptMs: 60_000 });
  const { deliveries, keys, redis } = queue;
  const id = await acknowledge(queue, 1);
  await attemptOf({ tenant: queue, id, outcome: created('record-1'), now: 2 });
  const fingerprint = fingerprintOf((await redis.get(keys.delivery(id))) ?? '');
  await redis.del(keys.delivery(id), keys.record('record-1'));
  expect(await deliveries.accept(aRun(1), 1)).toMatchObject({ kind: 'duplicate', delivery: { status: 'delivered' } });
  const replication = await openReplication(onPort(primaryPort), keys.root, () => undefined);
  try {
    const { waitFor } = replication.of(keys.root);
    const waitForOne = (ofId: string, itsFingerprint: string) =>
      waitFor(toSavedCompacted(keys.root, ofId, itsFingerprint));
    await expect(waitForOne('dAAAAAAAAAAAAAAAAAAAAAA', fingerprint)).rejects.toThrow('does not have it');
    await expect(waitForOne(id, fingerprint.replace(/.$/, '!'))).rejects.toThrow('does not have it');
    await waitForOne(id, fingerprint);
  } finally {
    await replication.close();
  }
  replica.kill('SIGSTOP');
  await expect(deliveries.accept(aRun(1), 1)).rejects.toThrow(NotReplicated);
});

test('of two replicas one gone for good · is waited for at first · and no longer once it was away for a while', async () => {
  const port = await freeRedisPort();
  const lines = [...LINES, 'appenddirname second', `replicaof 127.0.0.1 ${primaryPort}`, ...secured];
  const second = await servers.start('second', port, { lines });
  await follows(port);
  const tenant = await open();
  const observer = new Redis(primaryPort, { password: PASSWORD });
  const monitor = await observer.monitor();
  const waits: string[] = [];
  monitor.on('monitor', (_at: string, [command, replicas]: string[]) => {
    if (command?.toLowerCase() === 'wait') waits.push(replicas ?? '');
  });
  try {
    await until('both are waited for', async () => (await acknowledge(tenant, 1), waits.at(-1) === '2'));
    await servers.kill(second);
    await expect(tenant.deliveries.accept(aRun(2), 1)).rejects.toThrow('1 of 2 replicas have it');
    const killedAt = performance.now();
    await acknowledge(tenant, 2, 20_000);
    expect(performance.now() - killedAt).toBeGreaterThan(8000);
    await acknowledge(tenant, 3);
    // Otherwise each call would wait for one that never comes, until its time is up.
    expect(waits.at(-1)).toBe('1');
    const before = waits.length;
    // Of many tenants, all of them ask at once.
    await Promise.all(Array.from({ length: 20 }, () => tenant.probeReplicas()));
    expect(waits.length - before).toBeLessThan(3);
  } finally {
    monitor.disconnect();
    observer.disconnect();
  }
}, 30_000);

test('what waits for replicas longer than anybody waits for its answer · is given up · and the check says what is missing', async () => {
  const tenant = await open();
  await acknowledge(tenant, 1);
  replica.kill('SIGSTOP');
  const asked = Array.from({ length: 8000 }, () => tenant.probeReplicas().then(() => 'kept', String));
  const { checks } = await healthOf(tenant).readiness();
  expect(checks).toMatchObject({ redis: { ok: true }, replicas: { ok: false } });
  const startedAt = performance.now();
  const answers = new Set(await Promise.all(asked));
  expect(performance.now() - startedAt).toBeLessThan(3000);
  expect(answers.has('kept')).toBe(false);
  expect(answers).toContain('NotReplicated: not replicated: waited for its turn for too long');
});

test('a replica that joins and is promoted while nothing is written · counts · although another one still confirms', async () => {
  const tenant = await open();
  await acknowledge(tenant, 1);
  const port = await freeRedisPort();
  const lines = [...LINES, 'appenddirname second', `replicaof 127.0.0.1 ${primaryPort}`, ...secured];
  await servers.start('second', port, { lines });
  await follows(port);
  const observer = new Redis(primaryPort, { password: PASSWORD });
  const monitor = await observer.monitor();
  let looks = 0;
  monitor.on('monitor', (_at: string, [command, section]: string[]) => {
    if (command?.toLowerCase() === 'info' && section === 'replication') looks += 1;
  });
  await until('it was seen', () => looks > 1);
  monitor.disconnect();
  observer.disconnect();
  await servers.cli(port, 'REPLICAOF', 'NO', 'ONE');
  await until('it has left', async () =>
    (await servers.cli(primaryPort, 'INFO', 'replication')).includes('connected_slaves:1'),
  );
  await expect(tenant.deliveries.accept(aRun(2), 1)).rejects.toThrow('1 of 2 replicas have it');
});

test('a primary killed in the midst of submissions · what was acknowledged · its replica has', async () => {
  const { deliveries } = await open();
  const acknowledged: string[] = [];
  let number = 0;
  const submissions = Array.from({ length: 20 }, async () => {
    while (number < 4000) {
      const answer = await deliveries.accept(aRun((number += 1)), 1).catch(() => null);
      if (answer?.kind === 'accepted') acknowledged.push(answer.delivery.id);
    }
  });
  await until('some are acknowledged', () => acknowledged.length > 200);
  await servers.cli(primaryPort, 'SHUTDOWN', 'NOSAVE', 'NOW').catch(() => undefined);
  await Promise.allSettled(submissions);
  await servers.cli(replicaPort, 'REPLICAOF', 'NO', 'ONE');
  const promoted = await openTestTenant({ config: { ...onPort(replicaPort), minReplicas: 0 } });
  try {
    expect((await promoted.deliveries.findAll(acknowledged)).filter((found) => found === null)).toEqual([]);
    expect(acknowledged.length).toBeLessThan(4000);
  } finally {
    await promoted.close();
  }
}, 30_000);

const SLOTS = 16_384;

test('a cluster of three with a replica each · waits on the node with the tenant’s keys, also after they moved · as a restricted user', async () => {
  const ports: number[] = [];
  for (let count = 0; count < 6; count += 1) ports.push(await freeRedisPort());
  const user = `user bridge ${[...rules, ...BESIDE.inCluster, ...BESIDE.waitingInCluster].join(' ')}`;
  const processes: ChildProcess[] = [];
  for (const port of ports) {
    const lines = ['cluster-enabled yes', `cluster-config-file nodes-${port}.conf`, 'appendonly no', 'save ""'];
    processes.push(
      await servers.start(`node-${port}`, port, {
        lines: [...lines, 'repl-diskless-sync-delay 0', 'cluster-node-timeout 5000', `masterauth ${PASSWORD}`, user],
      }),
    );
  }
  await servers.cluster(ports, 1);
  const config = toConfig({ REDIS_CLUSTER: ports.map((port) => `127.0.0.1:${port}`).join() });
  for (const id of ['contoso', 'fabrikam', 'adatum']) {
    const tenant = await openTestTenant({ config }, { id });
    try {
      for (const number of [1, 2]) await acknowledge(tenant, number);
    } finally {
      await tenant.close();
    }
  }
  const roles = () => Promise.all(ports.map((port) => servers.cli(port, 'ROLE')));
  const moved = await openTestTenant({ config }, { id: 'contoso' });
  try {
    await acknowledge(moved, 3);
    const before = (await roles()).map((role) => role.startsWith('master'));
    await until(
      'each replica has taken over',
      async () => {
        const now = (await roles()).map((role) => role.startsWith('master'));
        const left = ports.filter((_, index) => !before[index] && !now[index]);
        // One that has not copied everything yet refuses.
        for (const port of left) await servers.cli(port, 'CLUSTER', 'FAILOVER').catch(() => '');
        return left.length === 0;
      },
      30_000,
    );
    await acknowledge(moved, 4);
  } finally {
    await moved.close();
  }
  const slotOf = async (root: string) => Number(await servers.cli(ports[0] ?? 0, 'CLUSTER', 'KEYSLOT', root));
  const others = Array.from({ length: 40 }, (_, number) => `runstate:{tenant-${number}}`);
  const slots = await Promise.all(others.map(slotOf));
  const onOneNode = others.filter((_, index) => (slots[index] ?? Infinity) < SLOTS / 3);
  for (const [index, role] of (await roles()).entries())
    if (!role.startsWith('master')) processes[index]?.kill('SIGSTOP');
  const tenant = await openTestTenant({ config }, { id: 'contoso' });
  try {
    // The connection to the cluster may not be ready at first.
    await until('it is refused for want of a replica', () =>
      tenant.deliveries.accept(aRun(5), 1).then(
        () => expect.fail('it was acknowledged'),
        (error: unknown) => error instanceof NotReplicated,
      ),
    );
    // Many tenants on one node share the wait: each by itself, they would hold each other up until their time is over.
    const replication = await openReplication(config, 'runstate:{_jobs}', () => undefined);
    try {
      expect(onOneNode.length).toBeGreaterThan(5);
      const probe = (root = '') => replication.of(root).probe();
      await until('it asks the nodes', () =>
        probe(onOneNode[0]).catch((error: unknown) => /of 1 replicas/.test(String(error))),
      );
      const outcomes = await Promise.allSettled(onOneNode.map(probe));
      expect(
        new Set(outcomes.map((outcome) => (outcome.status === 'rejected' ? String(outcome.reason) : 'kept'))),
      ).toEqual(new Set(['NotReplicated: not replicated: 0 of 1 replicas have it after 1000 ms']));
    } finally {
      await replication.close();
    }
  } finally {
    await tenant.close();
    for (const stopped of processes) stopped.kill('SIGCONT');
  }
}, 60_000);
