// The Redis of a process: what all its tenants share, and our own server if none is configured.
import type { RedisConfig } from '../../config/redis.ts';
import { connect, disconnect, waitUntilReady, type Purpose, type RedisConnection } from './connection.ts';
import { startEmbeddedRedis, type OnWait } from './embedded/embedded.ts';
import { openClocks, type OpenClock } from './clocks.ts';
import { watchDurability, type OnDurability } from './health.ts';
import { openJobQueue, type JobQueue } from '../jobs/job-queue.ts';
import { openReplication, type Replication } from './replicas/replication.ts';
import { openWriteProbes, type OpenWriteProbe } from './write-probe.ts';

/** Events of a process's Redis; telemetry implements them. */
export type RedisEvents = {
  redisTrouble: (error: Error) => void;
  /** What our own server's answer is waiting for, repeated while it lasts. */
  waitingForRedis: OnWait;
  /** The durability in force, whenever it changed. */
  durability: OnDurability;
};

export type OpenRedis = {
  connection: RedisConnection;
  /** The prefix of all keys. */
  prefix: string;
  /** The jobs of all tenants. */
  jobs: JobQueue;
  openClock: OpenClock;
  openWriteProbe: OpenWriteProbe;
  /** The replicas of a tenant's keys. */
  replicasOf: Replication['of'];
  /** What our own server's answer is waiting for; null if it answers, or the server is not ours. */
  explainSilence: () => Promise<string | null>;
  close: () => Promise<void>;
};

/** @param purpose whether callers wait for commands (`answer`) or not (`work`) */
export async function openRedis(config: RedisConfig, purpose: Purpose, events: RedisEvents): Promise<OpenRedis> {
  const { redisTrouble, waitingForRedis, durability } = events;
  const embedded = config.kind === 'embedded' ? await startEmbeddedRedis(config.directory, waitingForRedis) : null;
  const connection = connect(config, purpose, redisTrouble);
  const revive = () => void embedded?.ensure().catch(redisTrouble);
  connection.on('close', revive);
  await waitUntilReady(connection);
  watchDurability(connection, durability);
  const jobs = openJobQueue(connection, config.prefix, redisTrouble);
  const clocks = await openClocks(connection, jobs.root);
  const replication = await openReplication(config, jobs.root, redisTrouble);
  const writeProbes = openWriteProbes(connection, jobs.root, redisTrouble);
  return {
    connection,
    prefix: config.prefix,
    jobs,
    openClock: clocks.open,
    openWriteProbe: writeProbes.open,
    replicasOf: replication.of,
    explainSilence: async () => (await embedded?.explain()) ?? null,
    close: async () => {
      writeProbes.close();
      clocks.close();
      await jobs.close();
      connection.off('close', revive);
      await replication.close();
      await disconnect(connection);
      await embedded?.close();
    },
  };
}
