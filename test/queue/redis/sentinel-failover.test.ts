// Sentinel announces a new primary while a connection is being made: the connection goes on to it, wherever it was made to.
import { once } from 'node:events';
import { connect as openSocket, createServer, type AddressInfo, type Socket } from 'node:net';
import type { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { parseConfig } from '../../../src/config/config.ts';
import { connect, type Purpose, type RedisConnection } from '../../../src/queue/redis/connection.ts';
import { GROUP_KEY } from '../../support/device.ts';
import { createRedisServers, freeRedisPort, type RedisServers } from '../../support/redis-servers.ts';
import { until } from '../../support/until.ts';

let servers: RedisServers;
beforeEach(async () => (servers = await createRedisServers()));
afterEach(() => servers.close());

/** A way to Sentinel on which new connections can be made to wait: for any answer, or for the one that names the primary. Older ones go on. */
async function openWay(port: number) {
  const sockets = new Set<Socket>();
  const waiting: (() => void)[] = [];
  let held: 'all' | 'addresses' | 'nothing' = 'nothing';
  const server = createServer((client) => {
    const upstream = openSocket(port, '127.0.0.1');
    for (const socket of [client, upstream]) sockets.add(socket.on('error', () => undefined));
    const answer = () => void upstream.pipe(client);
    client.on('data', (part: Buffer) => {
      if (held === 'addresses' && part.includes('get-master-addr-by-name')) {
        upstream.unpipe(client).pause();
        waiting.push(answer);
      }
      upstream.write(part);
    });
    client.on('close', () => upstream.destroy());
    if (held === 'all') waiting.push(answer);
    else answer();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    hold: (what: 'all' | 'addresses') => (held = what),
    countWaiting: () => waiting.length,
    release: () => {
      held = 'nothing';
      for (const answer of waiting.splice(0)) answer();
    },
    close: () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

const isReady = (connection: RedisConnection) => until('it is ready', () => connection.status === 'ready', 20_000);

/** A primary, a replica and one sentinel that has a way of its own. */
async function startServers() {
  const [first, second, sentinel] = [await freeRedisPort(), await freeRedisPort(), await freeRedisPort()];
  const primary = await servers.start('first', first, { lines: ['save ""', 'repl-diskless-sync-delay 0'] });
  await servers.start('second', second, { lines: ['save ""', `replicaof 127.0.0.1 ${first}`] });
  const lines = ['monitor runs 127.0.0.1 PORT 1', 'down-after-milliseconds runs 800', 'failover-timeout runs 3000'];
  await servers.start('sentinel', sentinel, {
    lines: lines.map((line) => `sentinel ${line.replace('PORT', `${first}`)}`),
    args: ['--sentinel'],
  });
  const asSentinel = (...command: string[]) => servers.cli(sentinel, 'SENTINEL', ...command);
  await until('the replica is known', async () => (await asSentinel('replicas', 'runs')).includes(`${second}`), 20_000);
  const way = await openWay(sentinel);
  const { redis: config } = parseConfig(
    { DEVICE_GROUP_KEYS: GROUP_KEY, REDIS_SENTINELS: `127.0.0.1:${way.port}`, REDIS_SENTINEL_NAME: 'runs' },
    'api',
  );
  const hearsOfPrimaries = () =>
    until('it hears of new primaries', async () => /sub=1/.test(await servers.cli(sentinel, 'CLIENT', 'LIST')), 5000);
  // `get-master-addr-by-name` names it earlier.
  const announced = () =>
    until('it is announced', async () => (await asSentinel('masters')).includes(`port\n${second}\n`), 20_000);
  return { primary, first, second, way, config, hearsOfPrimaries, announced };
}

test.each<[Purpose, 'itself' | 'its duplicate']>([
  ['answer', 'itself'],
  ['work', 'its duplicate'],
])(
  'a new primary is announced while a connection to %s is made · %s goes on to it · and does not end',
  async (purpose, which) => {
    const { primary, way, config, hearsOfPrimaries, announced } = await startServers();
    const opened = connect(config, purpose, () => undefined);
    const connection: RedisConnection = which === 'itself' ? opened : (opened as Redis).duplicate();

    connection.on('error', () => undefined);
    try {
      await isReady(connection);
      await hearsOfPrimaries();
      way.hold('all');
      await servers.kill(primary);
      await until('it asks Sentinel again', () => way.countWaiting() > 0, 5000);
      await announced();
      const ended = once(connection, 'end', { signal: AbortSignal.timeout(1500) }).catch(() => 'still there');
      way.release();
      expect(await ended).toBe('still there');
      await isReady(connection);
      expect(await connection.set('key', 'value')).toBe('OK');
    } finally {
      connection.disconnect();
      opened.disconnect();
      way.close();
    }
  },
  60_000,
);

test('a new primary is announced after the address of the old one was given, which goes on as a primary · the connection goes on to the new one', async () => {
  const { primary, first, second, way, config, hearsOfPrimaries, announced } = await startServers();
  const connection = connect(config, 'answer', () => undefined);
  try {
    await isReady(connection);
    await hearsOfPrimaries();
    way.hold('addresses');
    await servers.cli(first, 'CLIENT', 'KILL', 'TYPE', 'normal');
    await until('it asks Sentinel again', () => way.countWaiting() > 0, 5000);
    primary.kill('SIGSTOP');
    await announced();
    primary.kill('SIGCONT');
    way.release();
    const valueAt = async (port: number) => (await servers.cli(port, 'GET', 'key')).trim();
    let isAtNew = false;
    while (!isAtNew) {
      await connection.set('key', 'value').catch(() => undefined);
      // Sentinel makes the old one a replica some seconds later.
      const isAtOld = (await valueAt(first)) === 'value';
      isAtNew = (await valueAt(second)) === 'value';
      if (isAtOld && !isAtNew) expect.fail('it went on with the old one');
    }
  } finally {
    connection.disconnect();
    way.close();
  }
}, 60_000);
