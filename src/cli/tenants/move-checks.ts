// Whether the Redis that gets the data keeps what a 202 promises, and has room for it.
import { judgeRedis } from '../../doctor/redis.ts';
import { failed, type Finding } from '../../doctor/finding.ts';
import type { RedisConfig } from '../../config/redis.ts';
import { examineRedis } from '../../queue/redis/inspect.ts';

/** What is not well at the target. @param needsRoomForAll whether it has to have room for all that the source uses */
export async function checkTarget(
  source: RedisConfig,
  target: RedisConfig,
  needsRoomForAll: boolean,
): Promise<Finding[]> {
  const [from, to] = await Promise.all([examineRedis(source, Date.now), examineRedis(target, Date.now)]);
  const findings = judgeRedis(to).filter(({ result }) => result !== 'ok');
  if (from.kind === 'unreachable' || to.kind === 'unreachable' || !needsRoomForAll) return findings;
  const { usedBytes, maxmemoryBytes } = to.facts;
  // A server of a Cluster, or a source that is one, has a share of it only.
  const isWhole = source.kind !== 'cluster' && target.kind !== 'cluster';
  if (!isWhole || maxmemoryBytes === null || maxmemoryBytes - usedBytes >= from.facts.usedBytes) return findings;
  const mb = (bytes: number) => `${Math.ceil(bytes / 1_048_576)} MB`;
  return [
    ...findings,
    failed(
      'redis-room',
      `${mb(Math.max(0, maxmemoryBytes - usedBytes))} are free, and the source uses ${mb(from.facts.usedBytes)}`,
      'Give it a larger maxmemory.',
    ),
  ];
}
