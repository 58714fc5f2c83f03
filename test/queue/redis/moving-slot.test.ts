// A slot of a Cluster that is just moving: commands follow their key, and where that is refused, their caller hears of it.
import { afterEach, expect, test } from 'vitest';
import { parseConfig } from '../../../src/config/config.ts';
import { connect } from '../../../src/queue/redis/connection.ts';
import { BESIDE, documentedRules } from '../../support/redis-rights.ts';
import { createRedisServers, freeRedisPort, type RedisServers } from '../../support/redis-servers.ts';
import { until } from '../../support/until.ts';

const PASSWORD = 'the-bridges';
const KEY = 'runstate:{default}:counts';

let servers: RedisServers;
afterEach(() => servers.close());

// A promise that nobody handles fails the test by itself.
test.each([
  ['with the documented rights', 'works', []],
  ['without the right to ASKING', 'fails', ['-asking']],
])(
  '%s · a command on a key that has already moved · %s',
  async (_what, outcome, more) => {
    servers = await createRedisServers({ password: 'the-administrators', tls: false });
    const ports = [await freeRedisPort(), await freeRedisPort(), await freeRedisPort()];
    const user = `user bridge ${[...documentedRules(PASSWORD), ...BESIDE.inCluster, ...more].join(' ')}`;
    for (const port of ports) {
      const lines = ['cluster-enabled yes', `cluster-config-file nodes-${port}.conf`, 'save ""', user];
      await servers.start(`node-${port}`, port, { lines });
    }
    await servers.cluster(ports);
    const ask = async (port: number, ...command: string[]) => (await servers.cli(port, ...command)).trim();
    const slot = await ask(ports[0] ?? 0, 'CLUSTER', 'KEYSLOT', KEY);
    const ids = await Promise.all(ports.map((port) => ask(port, 'CLUSTER', 'MYID')));
    const owned = await Promise.all(ports.map((port) => ask(port, 'GET', KEY)));
    const from = owned.findIndex((answer) => !answer.startsWith('MOVED'));
    const to = (from + 1) % ports.length;
    await ask(ports[to] ?? 0, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids[from] ?? '');
    await ask(ports[from] ?? 0, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[to] ?? '');

    const environment = {
      REDIS_CLUSTER: ports.map((port) => `127.0.0.1:${port}`).join(),
      REDIS_USERNAME: 'bridge',
      REDIS_PASSWORD: PASSWORD,
      DEVICE_GROUP_KEYS: Buffer.alloc(64, 7).toString('base64'),
    };
    const redis = connect(parseConfig(environment, 'api').redis, 'answer', () => undefined);
    try {
      await until('it is connected', () => redis.status === 'ready', 20_000);
      expect(
        await redis.set(KEY, 'moved').then(
          () => 'works',
          () => 'fails',
        ),
      ).toBe(outcome);
    } finally {
      redis.disconnect();
    }
  },
  60_000,
);
