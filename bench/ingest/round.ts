// One round of one candidate: a fresh Redis, a fresh process, warmed up, then measured.
import { startTestRedis, type TestRedis } from '../../test/support/redis.ts';
import type { Candidate } from './candidates.ts';
import type { Load } from './load-process.ts';
import { cpuUs, machineCpuUs, redisUsed, rssBytes, startService, untilCalm } from './machine.ts';

export type Measured = {
  perS: number;
  p50Ms: number;
  p99Ms: number;
  serverUs: number;
  redisUs: number;
  /** Memory in Redis per run result. */
  bytes: number;
  serverRssBytes: number;
  /** Load of the rest of the machine meanwhile, as a share of one core. */
  foreign: number;
};

export type Circumstances = {
  environment: Record<string, string>;
  pinned: boolean;
  /** Results sent per second; null for as fast as responses arrive. */
  ratePerS: number | null;
  /** Fills Redis before the service starts. */
  fill: ((redis: TestRedis) => Promise<void>) | null;
  /** Share of the usual number of run results. */
  share: number;
};

/** A rewrite of the append-only file during a round would make it incomparable. */
const REDIS_SETTINGS = ['--auto-aof-rewrite-percentage', '0'];
/** At a fixed rate, requests must never wait for a connection. */
const LANES_AT_A_RATE = 256;
/**
 * Latencies are those of a process that has run for a while: in its first ten seconds each collection waits for memory that
 * is touched for the first time, which is slow on a virtual machine.
 */
const WARMER_AT_A_RATE = 2.5;

export async function runRound(candidate: Candidate, circumstances: Circumstances, load: Load): Promise<Measured> {
  const redis = await startTestRedis(...REDIS_SETTINGS);
  try {
    await circumstances.fill?.(redis);
    return await measure(candidate, circumstances, redis, load);
  } finally {
    await redis.close();
  }
}

async function measure(
  { main, signed, perBatch, lanes, results, warmUp }: Candidate,
  { environment, pinned, ratePerS, share }: Circumstances,
  redis: TestRedis,
  load: Load,
): Promise<Measured> {
  const toRequests = (all: number) => Math.ceil((all * share) / (perBatch ?? 1));
  const toWarmUp = toRequests(warmUp * (ratePerS === null ? 1 : WARMER_AT_A_RATE));
  const service = await startService(main, { ...environment, REDIS_URL: redis.url }, pinned);
  const look = async () => ({
    server: cpuUs(service.pid),
    redis: await redisUsed(redis.client),
    // Service, load generator and Redis are its children.
    own: cpuUs(process.pid),
    machine: machineCpuUs(),
  });
  try {
    await untilCalm();
    await load.prepare({
      port: service.port,
      lanes: ratePerS === null ? lanes : LANES_AT_A_RATE,
      requests: toWarmUp + toRequests(results),
      form: { groupKey: environment['DEVICE_GROUP_KEYS'] ?? '', signed, perBatch },
    });
    await load.send({ requests: toWarmUp, ratePerS: null });
    const before = await look();
    const sent = await load.send({ requests: toRequests(results), ratePerS });
    const after = await look();
    const ownUs = after.own - before.own;
    return {
      perS: sent.results / sent.seconds,
      p50Ms: sent.p50Ms,
      p99Ms: sent.p99Ms,
      serverUs: (after.server - before.server) / sent.results,
      redisUs: (after.redis.cpuUs - before.redis.cpuUs) / sent.results,
      bytes: (after.redis.bytes - before.redis.bytes) / sent.results,
      serverRssBytes: rssBytes(service.pid),
      foreign: Math.max(0, after.machine - before.machine - ownUs) / (sent.seconds * 1e6),
    };
  } finally {
    await service.stop();
  }
}
