// The Redis of a process: one connection for all its tenants, and our own server where the configuration names none.
import type { RedisConfig } from '../../config/redis.ts';
import { connect, disconnect, settled, type Purpose, type RedisConnection } from './connection.ts';
import { startEmbeddedRedis, type OnWait } from './embedded/embedded.ts';
import { watchDurability, type OnDurability } from './health.ts';

/** What a process's Redis reports; telemetry implements it. */
export type RedisEvents = {
  redisTrouble: (error: Error) => void;
  /** What an answer of our own server waits for, as long as that lasts. */
  waitingForRedis: OnWait;
  /** Which durability is in force, whenever that changed. */
  durability: OnDurability;
};

export type OpenRedis = {
  connection: RedisConnection;
  /** What all keys begin with. */
  prefix: string;
  /** What an answer of our own server waits for; null where it answers, or the server is not ours. */
  explainSilence: () => Promise<string | null>;
  close: () => Promise<void>;
};

/** @param purpose whether somebody waits for each command (`answer`) or nobody does (`work`) */
export async function openRedis(config: RedisConfig, purpose: Purpose, events: RedisEvents): Promise<OpenRedis> {
  const { redisTrouble, waitingForRedis, durability } = events;
  const embedded = config.kind === 'embedded' ? await startEmbeddedRedis(config.directory, waitingForRedis) : null;
  const connection = connect(config, purpose, redisTrouble);
  const revive = () => void embedded?.ensure().catch(redisTrouble);
  connection.on('close', revive);
  await settled(connection);
  watchDurability(connection, durability);
  return {
    connection,
    prefix: config.prefix,
    explainSilence: async () => (await embedded?.explain()) ?? null,
    close: async () => {
      connection.off('close', revive);
      await disconnect(connection);
      await embedded?.close();
    },
  };
}
