// A step of a move waits for the replicas of its server: resolved once they have it, and an error if one hangs.
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { toSecret } from '../../../../src/config/secret.ts';
import { createKeys } from '../../../../src/queue/redis/keys.ts';
import { confirmReplicas, NotConfirmed } from '../../../../src/queue/redis/move/confirm-replicas.ts';
import { moveHere, openEnd, QUIET, type OpenedEnd } from '../../../support/moving.ts';
import { createRedisServers, freeRedisPort } from '../../../support/redis-servers.ts';
import { startTestRedis, type TestRedis } from '../../../support/redis.ts';
import { aRun, openTestTenant } from '../../../support/tenant.ts';
import { until } from '../../../support/until.ts';

const { root: ROOT, move: MOVE } = createKeys('runstate', 'default');

type Servers = Awaited<ReturnType<typeof createRedisServers>>;

async function startPrimary(): Promise<{ servers: Servers; port: number; end: OpenedEnd }> {
  const servers = await createRedisServers();
  onTestFinished(servers.close);
  const port = await freeRedisPort();
  await servers.start('primary', port, { lines: ['repl-diskless-sync-delay 0'] });
  const url = toSecret(`redis://127.0.0.1:${port}`);
  const end = await openEnd({ kind: 'single', url, prefix: 'runstate' }, 'primary');
  onTestFinished(end.close);
  return { servers, port, end };
}

async function startReplica({ servers, port }: { servers: Servers; port: number }) {
  const replicaPort = await freeRedisPort();
  const lines = [`replicaof 127.0.0.1 ${port}`, 'dbfilename replica.rdb'];
  const replica = await servers.start('replica', replicaPort, { lines });
  onTestFinished(() => void replica.kill('SIGCONT'));
  await until('it follows', async () => (await servers.cli(port, 'INFO', 'replication')).includes('state=online'));
  return { replica, replicaPort };
}

test('a server · without a replica, with one that follows, with one that hangs · confirms, confirms, and does not', async () => {
  const { servers, port, end } = await startPrimary();
  await end.connection.set(`${ROOT}:key`, 'before');
  await confirmReplicas(end.connection, ROOT);

  const { replica, replicaPort } = await startReplica({ servers, port });
  await end.connection.set(`${ROOT}:key`, 'after');
  await confirmReplicas(end.connection, ROOT);
  expect((await servers.cli(replicaPort, 'GET', `${ROOT}:key`)).trim()).toBe('after');

  replica.kill('SIGSTOP');
  await end.connection.set(`${ROOT}:key`, 'later');
  await expect(confirmReplicas(end.connection, ROOT)).rejects.toEqual(new NotConfirmed(0, 1));
}, 60_000);

async function openSource(): Promise<{ redis: TestRedis; source: OpenedEnd }> {
  const redis = await startTestRedis();
  onTestFinished(redis.close);
  const tenant = await openTestTenant(redis);
  await tenant.deliveries.accept(aRun(1), Date.now());
  await tenant.close();
  const source = await openEnd(redis.config, 'the old one');
  onTestFinished(source.close);
  return { redis, source };
}

test('a move to a server whose replica hangs after the first pass · goes on serving at the source · until it follows again', async () => {
  const { redis, source } = await openSource();
  const { servers, port, end: target } = await startPrimary();
  const { replica } = await startReplica({ servers, port });
  const passed = Promise.withResolvers<null>();
  const events = {
    ...QUIET,
    passed: () => {
      replica.kill('SIGSTOP');
      passed.resolve(null);
    },
  };
  const stopping = new AbortController();
  const first = moveHere({ source, target, events, signal: stopping.signal });
  await passed.promise;
  await delay(5000);
  expect(await redis.client.hget(MOVE, 'state')).toBe('copying');
  stopping.abort(new Error('stopped'));
  await expect(first).rejects.toThrow('stopped');

  const second = moveHere({ source, target });
  await delay(1000);
  replica.kill('SIGCONT');
  expect(await second).toMatchObject({ kind: 'moved', deliveries: { queued: 1 } });
}, 60_000);

test('a move from a server whose replica hangs · does not touch the target · before it follows again', async () => {
  const { servers, port, end: source } = await startPrimary();
  const url = toSecret(`redis://127.0.0.1:${port}`);
  const tenant = await openTestTenant({ config: { kind: 'single', url, prefix: 'runstate' } });
  await tenant.deliveries.accept(aRun(1), Date.now());
  await tenant.close();
  const { replica } = await startReplica({ servers, port });
  const redis = await startTestRedis();
  onTestFinished(redis.close);
  const target = await openEnd(redis.config, 'the new one');
  onTestFinished(target.close);
  replica.kill('SIGSTOP');
  await expect(moveHere({ source, target })).rejects.toEqual(new NotConfirmed(0, 1));
  expect(await redis.client.exists(MOVE)).toBe(0);
  replica.kill('SIGCONT');
  expect(await moveHere({ source, target })).toMatchObject({ kind: 'moved', deliveries: { queued: 1 } });
}, 60_000);
