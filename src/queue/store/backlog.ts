// Watches the backlog, every second while results arrive and more often under load, so that submissions never fill Redis.
import pTimeout from 'p-timeout';
import {
  decideBacklogState,
  hasRoomFor,
  isFailedRun,
  isFull,
  ROOM_FOR_ALL,
  roomBytes,
  type Backlog,
  type BacklogLimits,
  type BacklogState,
  type Room,
} from '../../domain/operations/backlog.ts';
import { identify } from '../../domain/delivery.ts';
import { tenantHold } from '../../domain/hold/hold.ts';
import type { RunResult } from '../../domain/submission/run-result.ts';
import { countOpen, type TenantSnapshot } from '../../domain/operations/tenant-snapshot.ts';
import { toPerSecond } from '../../domain/pace/per-window.ts';
import type { Accept, Accepted } from './acceptance.ts';
import type { Deliveries } from './deliveries.ts';
import type { ReadSnapshot } from '../read-snapshot.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { Keys } from '../redis/keys.ts';
import { createMemoryReader } from '../redis/health.ts';

/** Nothing was stored. */
export type BacklogFull = {
  kind: 'backlog-full';
  /** What there still was room for. */
  room: 'failures' | 'none';
  /** How long the backlog takes to drain at the current pace. */
  drainS: number;
};

export type BacklogWatch = {
  /**
   * Stores a run if there is room for it; the last of it is kept for failed runs. A known run needs none and is acknowledged anyway, so a device that repeats it learns
   * that it is safe. Rejects if Redis itself is almost full.
   */
  accept: (...submission: Parameters<Accept>) => Promise<Accepted | BacklogFull>;
  /** The latest reading: two seconds old at most when a run was just accepted; null before the first. While Redis is unavailable it gets older. */
  latestSnapshot: () => TenantSnapshot | null;
  /** What there is room for, and why not for all. */
  backlogState: () => BacklogState;
  /**
   * The same by the latest reading, for what all processes know together. Undefined before the first.
   * @param known the room they know of: once a limit is reached, it opens again only some way below
   */
  judgeBacklog: (known: Room) => BacklogState | undefined;
  close: () => void;
};

const LOOK_EVERY_MS = 1000;
/** While nobody needs a reading: other processes may fill the backlog. */
const LOOK_WHILE_IDLE_EVERY_MS = 10_000;
/** How long a submission waits for a reading. */
const AWAITED_FOR_MS = 250;
/** One for all: p-timeout would make one in advance for each wait, which costs more than the wait. */
const LATE = new Error(`no reading within ${AWAITED_FOR_MS} ms`);
/** How many times a submission waits for a new reading before it is refused. */
const READS_FOR_ROOM = 5;
/** Maximum memory a delivery uses in Redis besides its texts. */
const OVERHEAD_BYTES = 3000;

/** The parts of a tenant that are watched. */
type Watched = {
  id: string;
  keys: Keys;
  redis: RedisConnection;
  deliveries: Pick<Deliveries, 'accept' | 'find' | 'findCompacted' | 'openBytes'>;
  readSnapshot: ReadSnapshot;
};

export type BacklogWatchOptions = {
  limits: BacklogLimits;
  /** The configured pace. */
  writesPer20s: number;
  /** Called when there is room for fewer or for more run results than before. */
  report: (state: BacklogState) => void;
};

export function watchBacklog(tenant: Watched, { limits, writesPer20s, report }: BacklogWatchOptions): BacklogWatch {
  const { keys, redis, deliveries, readSnapshot } = tenant;
  const readMemory = createMemoryReader(redis, keys);
  let seen: Backlog | null = null;
  let latest: TenantSnapshot | null = null;
  let state = ROOM_FOR_ALL;
  /** Stored here since the last reading. What other processes store meanwhile has to fit into the reserve. */
  let underWayBytes = 0;
  let unseenBytes = 0;
  let newest: Promise<unknown> | null = null;
  let looking: Promise<void> | null = null;
  let next: NodeJS.Timeout | undefined;
  let isClosed = false;
  /** On a monotonic clock: when it was read, and when somebody needed a reading. */
  let [readAt, neededAt] = [-Infinity, -Infinity];

  async function look(): Promise<void> {
    const unseenBefore = unseenBytes;
    const [memory, openBytes, snapshot] = await Promise.all([readMemory(), deliveries.openBytes(), readSnapshot()]);
    const { now, counts, oldestOpen, holds } = snapshot;
    latest = snapshot;
    // A held configuration must not cause the results of all others to be refused because of its age.
    const oldestOpenAt = tenantHold(holds) ? oldestOpen.at : oldestOpen.notParkedAt;
    const backlog = { ...memory, oldestOpenAt, openBytes, openCount: countOpen(counts) };
    const found = decideBacklogState({ backlog, limits, known: state.room, now });
    if (found.room !== state.room) report(found);
    [seen, state, readAt] = [backlog, found, performance.now()];
    unseenBytes -= unseenBefore;
  }

  /** One reading at a time; while Redis is unavailable, the last known state applies. */
  function lookAgain(): Promise<void> {
    if (redis.status !== 'ready') return Promise.resolve();
    looking ??= look()
      .catch(() => undefined)
      .finally(() => (looking = null));
    return looking;
  }

  const isCrowded = (run: RunResult, share: number) =>
    seen !== null && underWayBytes + unseenBytes > roomBytes(seen, limits, run) * share;

  /** Sizes in progress are estimated high: once they are stored and measured, there may be room after all. */
  async function lookClosely(): Promise<void> {
    await newest?.catch(() => undefined);
    await looking;
    await lookAgain();
  }

  async function store(submission: Parameters<Accept>): Promise<Accepted> {
    const bytes = estimateBytes(submission[0]);
    underWayBytes += bytes;
    if (isCrowded(submission[0], 0.5)) void lookAgain();
    try {
      return await deliveries.accept(...submission);
    } finally {
      underWayBytes -= bytes;
      unseenBytes += bytes;
    }
  }

  const isNeeded = () =>
    seen === null || state.room !== 'all' || performance.now() - neededAt < LOOK_WHILE_IDLE_EVERY_MS;

  function schedule(): void {
    clearTimeout(next);
    if (!isClosed) next = setTimeout(() => void tick(), isNeeded() ? LOOK_EVERY_MS : LOOK_WHILE_IDLE_EVERY_MS);
  }

  async function tick(): Promise<void> {
    await lookAgain();
    schedule();
  }

  /** Waits for a reading, for a limited time, if the latest is old because nobody needed one. */
  async function refresh(): Promise<void> {
    neededAt = performance.now();
    if (neededAt - readAt < 2 * LOOK_EVERY_MS) return;
    schedule();
    await pTimeout(lookAgain(), { milliseconds: AWAITED_FOR_MS, message: LATE }).catch(() => undefined);
  }

  void tick();

  return {
    accept: async (...submission) => {
      const [run] = submission;
      await refresh();
      if (seen && isFull(toShare(seen))) throw new Error('Redis is nearly full');
      // No await between the last check and storing: submissions waiting together would all claim the same room.
      for (let reads = 0; reads < READS_FOR_ROOM && hasRoomFor(state.room, run) && isCrowded(run, 1); reads += 1)
        await lookClosely();
      if (!hasRoomFor(state.room, run) || isCrowded(run, 1)) {
        const id = identify(tenant.id, run.deviceId, run.runId);
        const known = (await deliveries.find(id)) ?? (await deliveries.findCompacted(id));
        if (!known) {
          const room = state.room === 'none' || isFailedRun(run) ? 'none' : 'failures';
          return { kind: 'backlog-full', room, drainS: (seen?.openCount ?? 0) / toPerSecond(writesPer20s) };
        }
      }
      const stored = store(submission);
      newest = stored;
      return stored;
    },
    latestSnapshot: () => latest,
    backlogState: () => state,
    judgeBacklog: (known) =>
      seen && latest ? decideBacklogState({ backlog: seen, limits, known, now: latest.now }) : undefined,
    close: () => {
      isClosed = true;
      clearTimeout(next);
    },
  };
}

const toShare = ({ usedBytes, maxmemoryBytes }: Backlog) =>
  maxmemoryBytes === null ? null : usedBytes / maxmemoryBytes;

/** A high estimate: JSON escapes and UTF-8 may double a text. */
function estimateBytes({ output = '', error = '' }: RunResult): number {
  return OVERHEAD_BYTES + 2 * (output.length + error.length);
}
