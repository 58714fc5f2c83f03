// Who is next: new ones in line by rank, retries, probes of held configurations; only a few at a time have a BullMQ job.
import type { Queue } from 'bullmq';
import type { HoldKey } from '../../domain/hold/hold.ts';
import type { Keys } from '../redis/keys.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { scriptOf, type Script, type ScriptName } from '../redis/script.ts';

/** `nextInMs`: when the next retry or probe is due; null where none waits for its time. */
export type Promoted = { count: number; nextInMs: number | null };

export type Line = {
  /** Keys and arguments that a script on the waiting list gets before its own; `lua/includes/waiting-list/keys.lua` names them. */
  keys: readonly string[];
  args: readonly (string | number)[];
  /** Gives jobs to the next: probes of held configurations, retries that are due, and new ones in line, as there is room. */
  promote: () => Promise<Promoted>;
  /** The same. @returns how many */
  feed: () => Promise<number>;
  /** Gives jobs to deliveries; one that has a job keeps it. */
  wake: (ids: readonly string[]) => Promise<void>;
  /** Gives a job to one in work that has none, unless it is put off. */
  wakeIfDue: (id: string) => Promise<void>;
  /** Gives a delivery in work its job so much later. */
  putOff: (id: string, waitMs: number) => Promise<void>;
  /** How long a delivery has to wait for its next attempt, on Redis's clock. */
  waitMs: (id: string) => Promise<number>;
  /** One that gives its job up is kept out of the way while its configuration is held; else it is tried again at once. */
  park: (id: string, heldBy: HoldKey) => Promise<void>;
  /** Gives jobs to those in work that have lost theirs, one slice per call. @returns how many had none */
  sweep: (now: number) => Promise<number>;
  /** When the oldest that has not ended was accepted, also without those that are parked; null where there is none. */
  oldestOpen: () => Promise<{ at: number | null; notParkedAt: number | null }>;
};

/** A script of this connection that works on the waiting list: given its own keys and arguments, it gets the list's before them. */
export function scriptOnList(redis: RedisConnection, list: Pick<Line, 'keys' | 'args'>, name: ScriptName): Script {
  const script = scriptOf(redis, name);
  return (keys, args) => script([...list.keys, ...keys], [...list.args, ...args]);
}

/** One feeding blocks Redis for no longer than this many. */
const FED_AT_ONCE = 200;
/** How many in work one sweep looks at, and how old one must be to be missed. */
const SWEEP_SLICE = 1000;
const SWEEP_AGE_MS = 15_000;

/**
 * The line of one tenant.
 * @param window how many new ones may be ahead of those in line: without an attempt under way, and due
 * @param probeLostMs when a delivery that was chosen as a probe counts as lost
 */
export function createLine(
  redis: RedisConnection,
  queue: Queue,
  keys: Keys,
  window: number,
  probeLostMs: number,
): Line {
  const { counts, inWork, putOff, retrying, holds, probes, released, parkedSets } = keys;
  const script = {
    keys: [...[counts, inWork, putOff, ...keys.line], ...[retrying, holds, probes, released, parkedSets]],
    args: [keys.root, window, probeLostMs],
  };
  const promoteScript = scriptOnList(redis, script, 'store/promote-deliveries');
  const putOffScript = scriptOnList(redis, script, 'store/put-off');
  const waitScript = scriptOnList(redis, script, 'store/read-wait');
  const parkScript = scriptOnList(redis, script, 'store/park-delivery');
  const oldestScript = scriptOnList(redis, script, 'store/oldest-open');
  let swept = 0;

  async function wake(ids: readonly string[]): Promise<void> {
    await Promise.all(ids.map((id) => queue.add('deliver', {}, { jobId: id })));
  }

  /** Whether it has a job, or gets one when its time comes. */
  const isExpected = async (id: string) =>
    (await redis.exists(queue.toKey(id))) === 1 || (await redis.zscore(keys.putOff, id)) !== null;

  async function promote(): Promise<Promoted> {
    const [ids, nextInMs] = (await promoteScript([], [FED_AT_ONCE])) as [string[], number];
    await wake(ids);
    return { count: ids.length, nextInMs: nextInMs < 0 ? null : nextInMs };
  }

  return {
    ...script,
    wake,
    promote,
    feed: async () => (await promote()).count,
    wakeIfDue: async (id) => {
      const [[inWorkAt], [putOffUntil]] = await Promise.all([redis.zmscore(inWork, id), redis.zmscore(putOff, id)]);
      if (inWorkAt != null && putOffUntil == null) await wake([id]);
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
      const slice = await redis.zrange(keys.inWork, from, to, 'WITHSCORES');
      swept = slice.length < 2 * SWEEP_SLICE ? 0 : swept + SWEEP_SLICE;
      // One from the future was accepted by a clock that was wrong: it is no younger for that.
      const ids = slice.filter((_, index) => {
        const age = now - Number(slice[index + 1]);
        return index % 2 === 0 && (age >= SWEEP_AGE_MS || age < 0);
      });
      const present = await Promise.all(ids.map(isExpected));
      const missed = ids.filter((_, index) => !present[index]);
      await wake(missed);
      return missed.length;
    },
    oldestOpen: async () => {
      const [at, notParkedAt] = (await oldestScript([], [])) as (string | null)[];
      return { at: at == null ? null : Number(at), notParkedAt: notParkedAt == null ? null : Number(notParkedAt) };
    },
  };
}
