// The waiting list: decides which delivery goes next. Only a few at a time are promoted, that is, have a BullMQ job.
import type { HoldKey } from '../../domain/hold/hold.ts';
import type { TenantJobs } from '../jobs/job-queue.ts';
import type { Keys } from '../redis/keys.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { scriptOf, type Script, type ScriptName } from '../redis/script.ts';

/** How many were promoted, and in how long the next retry or probe is due; null if none is. */
export type Promoted = { count: number; nextInMs: number | null };

export type WaitingList = {
  /** Keys and arguments prepended for scripts on the waiting list; `lua/includes/waiting-list/keys.lua` names them. */
  keys: readonly string[];
  args: readonly (string | number)[];
  /** Promotes deliveries while there is room: probes of held configurations, due retries, then new ones. */
  promote: () => Promise<Promoted>;
  /** Adds BullMQ jobs for deliveries; existing jobs are kept. */
  enqueue: (ids: readonly string[]) => Promise<void>;
  /** Gives a promoted delivery a job if it has none, unless it is put off. */
  enqueueIfDue: (id: string) => Promise<void>;
  /** Gives a promoted delivery its next job after `waitMs`. */
  putOff: (id: string, waitMs: number) => Promise<void>;
  /** How long a delivery has to wait for its next attempt, on Redis's clock. */
  waitMs: (id: string) => Promise<number>;
  /** Parks a delivery that gave up its job while its configuration is held; otherwise it is retried immediately. */
  park: (id: string, heldBy: HoldKey) => Promise<void>;
  /** Adds jobs for promoted deliveries that lost theirs, one slice per call. @returns how many had none */
  sweep: (now: number) => Promise<number>;
};

/** A script that works on the waiting list: the list's keys and arguments are prepended to the given ones. */
export function scriptOnList(
  redis: RedisConnection,
  list: Pick<WaitingList, 'keys' | 'args'>,
  name: ScriptName,
): Script {
  const script = scriptOf(redis, name);
  return (keys, args) => script([...list.keys, ...keys], [...list.args, ...args]);
}

/** Maximum promoted per script call, which blocks Redis. */
const PROMOTED_AT_ONCE = 200;
/** How many promoted deliveries one sweep checks, and how old one must be. */
const SWEEP_SLICE = 1000;
const SWEEP_AGE_MS = 15_000;

export type WaitingListParts = {
  redis: RedisConnection;
  jobs: TenantJobs;
  keys: Keys;
  /** How many new deliveries may be promoted and due without an attempt in progress. */
  window: number;
  /** Time after which a delivery chosen as a probe counts as lost. */
  probeLostMs: number;
};

/** The waiting list of one tenant. */
export function createWaitingList({ redis, jobs, keys, window, probeLostMs }: WaitingListParts): WaitingList {
  const { counts, promoted, putOff, retrying, holds, probes, released, parkedSets } = keys;
  const script = {
    keys: [...[counts, promoted, putOff, ...keys.waitingLists], ...[retrying, holds, probes, released, parkedSets]],
    args: [keys.root, window, probeLostMs],
  };
  const promoteScript = scriptOnList(redis, script, 'store/promote-deliveries');
  const putOffScript = scriptOnList(redis, script, 'store/put-off');
  const waitScript = scriptOnList(redis, script, 'store/read-wait');
  const parkScript = scriptOnList(redis, script, 'store/park-delivery');
  let swept = 0;

  /** Whether it has a job or will get one when it is due. */
  const isExpected = async (id: string) => (await jobs.has(id)) || (await redis.zscore(keys.putOff, id)) !== null;

  async function promote(): Promise<Promoted> {
    const [ids, nextInMs] = (await promoteScript([], [PROMOTED_AT_ONCE])) as [string[], number];
    await jobs.enqueue(ids);
    return { count: ids.length, nextInMs: nextInMs < 0 ? null : nextInMs };
  }

  return {
    ...script,
    enqueue: jobs.enqueue,
    promote,
    enqueueIfDue: async (id) => {
      const [[promotedAt], [putOffUntil]] = await Promise.all([redis.zmscore(promoted, id), redis.zmscore(putOff, id)]);
      if (promotedAt != null && putOffUntil == null) await jobs.enqueue([id]);
    },
    putOff: async (id, waitMs) => {
      await putOffScript([], [id, waitMs]);
    },
    waitMs: async (id) => Number(await waitScript([], [id])),
    park: async (id, heldBy) => {
      await parkScript([], [id, heldBy]);
    },
    sweep: async (now) => {
      const [from, to] = [String(swept), String(swept + SWEEP_SLICE - 1)];
      const slice = await redis.zrange(keys.promoted, from, to, 'WITHSCORES');
      swept = slice.length < 2 * SWEEP_SLICE ? 0 : swept + SWEEP_SLICE;
      // An instant in the future comes from a wrong clock; such a delivery counts as old.
      const ids = slice.filter((_, index) => {
        const age = now - Number(slice[index + 1]);
        return index % 2 === 0 && (age >= SWEEP_AGE_MS || age < 0);
      });
      const present = await Promise.all(ids.map(isExpected));
      const missed = ids.filter((_, index) => !present[index]);
      await jobs.enqueue(missed);
      return missed.length;
    },
  };
}
