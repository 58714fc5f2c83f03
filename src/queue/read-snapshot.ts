// Reads a tenant's snapshot from Redis, in one call.
import { STATUSES } from '../domain/delivery.ts';
import { remembered } from '../domain/hold/judge.ts';
import type { Counts, Parked, TenantSnapshot } from '../domain/operations/tenant-snapshot.ts';
import { toBudgetState } from './budget/budget.ts';
import { toKnowledge } from './budget/holds.ts';
import type { Keys } from './redis/keys.ts';
import type { RedisConnection } from './redis/connection.ts';
import { scriptOnList, type WaitingList } from './store/waiting-list.ts';

export type ReadSnapshot = () => Promise<TenantSnapshot>;

type Reply = [
  time: number,
  counts: (string | null)[],
  oldest: (string | null)[],
  holds: string[],
  parked: (string | number)[],
  budget: (string | null)[],
];

export type SnapshotParts = {
  redis: RedisConnection;
  keys: Keys;
  waitingList: Pick<WaitingList, 'keys' | 'args'>;
  /** The configured pace, until one is stored. */
  writesPer20s: number;
  clock: () => number;
};

export function createReadSnapshot({ redis, keys, waitingList, writesPer20s, clock }: SnapshotParts): ReadSnapshot {
  const script = scriptOnList(redis, waitingList, 'store/read-snapshot');
  return async () => {
    const [time, counts, oldest, holds, parked, budget] = (await script([keys.budget], [])) as Reply;
    const list = Object.values(remembered(toKnowledge(holds).knowledge, time));
    const [at = null, notParkedAt = null] = oldest.map((instant) => (instant === null ? null : Number(instant)));
    return {
      now: clock(),
      counts: Object.fromEntries(STATUSES.map((status, index) => [status, Number(counts[index] ?? 0)])) as Counts,
      oldestOpen: { at, notParkedAt },
      holds: list,
      parked: list.length === 0 ? {} : toParked(parked),
      ...toBudgetState(budget, writesPer20s, clock()),
    };
  };
}

function toParked(flat: readonly (string | number)[]): Parked {
  const entries = flat.flatMap((hold, index) => (index % 2 === 0 ? [[hold, Number(flat[index + 1])] as const] : []));
  return Object.fromEntries(entries);
}
