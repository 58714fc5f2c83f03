// The replays of one tenant in Redis: started, listed, changed by operators, and claimed slice by slice by who drives them.
import { randomBytes } from 'node:crypto';
import { deadLetterFilterSchema, type DeadLetterFilter } from '../../domain/operations/dead-letter.ts';
import {
  decideReplayState,
  isOpenReplay,
  REPLAY_STATES,
  type Replay,
  type ReplayOperation,
  type ReplayState,
} from '../../domain/replay/replay.ts';
import type { DeadLetters } from '../store/dead-letters.ts';
import type { Keys } from '../redis/keys.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { scriptOf } from '../redis/script.ts';

/** `open`: another replay of the tenant has not ended · `none`: nothing matched. */
export type Started = { kind: 'started'; replay: Replay } | { kind: 'open' | 'none' };

/** `unchanged`: it was so already · `ended`: too late · `unknown`: there is no such replay. */
export type ReplayChange = { kind: 'changed' | 'unchanged' | 'ended'; replay: Replay } | { kind: 'unknown' };

/** `stopped`: not running · `driven`: by another process · `done`: it has just ended. */
export type Claim =
  | { kind: 'stopped' | 'driven' | 'done' }
  /** `fromBefore`: how many of them were claimed before, by a process that did not get to replay them. */
  | { kind: 'slice'; waitMs: number; fromBefore: number; ids: string[] };

export type Replays = {
  start: (filter: DeadLetterFilter, terms: { perSecond: number; by: string | null }) => Promise<Started>;
  /** The latest ones, newest first. */
  list: () => Promise<Replay[]>;
  find: (id: string) => Promise<Replay | null>;
  /** The one that is running or paused; null if there is none. */
  findOpen: () => Promise<Replay | null>;
  change: (id: string, operation: ReplayOperation) => Promise<ReplayChange>;
  /** The id of the one that is running; null if there is none. */
  running: () => Promise<string | null>;
  claim: (id: string, processId: string) => Promise<Claim>;
  /** Counts one as skipped: `always`, or only if it is no longer the dead letter that was claimed. */
  skip: (id: string, deliveryId: string, when: 'always' | 'if-changed') => Promise<void>;
  /** Lets another process drive it at once. */
  release: (id: string, processId: string) => Promise<void>;
};

const KEPT = 50;
const ENDED_KEPT_MS = 30 * 24 * 3_600_000;
/** How long a process that drives a replay may be silent before another one goes on. */
export const LEASE_MS = 10_000;
const SLICE = 100;
/** What was collected for a replay that was never started, because its process died, is gone after this time. */
const COLLECTED_KEPT_MS = 3_600_000;
/** Other operators may change it between reading and writing, but not for long. */
const TRIES = 5;

const ID = /^r[\w-]{16}$/;

type Parts = { redis: RedisConnection; keys: Keys; tenantId: string; deadLetters: Pick<DeadLetters, 'positions'> };

export function createReplays({ redis, keys, tenantId, deadLetters }: Parts): Replays {
  const collectScript = scriptOf(redis, 'replays/collect');
  const startScript = scriptOf(redis, 'replays/start-replay');
  const claimScript = scriptOf(redis, 'replays/claim-slice');
  const changeScript = scriptOf(redis, 'replays/change-state');
  const skipScript = scriptOf(redis, 'replays/skip-claimed');
  const releaseScript = scriptOf(redis, 'replays/release-lease');

  const partsOf = (id: string) => {
    const { replay, left, claimed } = keys.replay(id);
    return [keys.counts, replay, left, claimed];
  };

  async function find(id: string): Promise<Replay | null> {
    if (!ID.test(id)) return null;
    const fields = await redis.hgetall(keys.replay(id).replay);
    return fields['state'] === undefined ? null : toReplay(id, tenantId, fields);
  }

  async function list(limit = KEPT): Promise<Replay[]> {
    const ids = await redis.zrevrange(keys.replays, 0, limit - 1);
    const found = await Promise.all(ids.map(find));
    return found.filter((replay) => replay !== null);
  }

  /** The dead letters that match now, with their instants of death: the replay takes no others. */
  async function collect(id: string, filter: DeadLetterFilter): Promise<void> {
    const { left } = keys.replay(id);
    for await (const positions of deadLetters.positions(filter)) {
      if (positions.length === 0) continue;
      const members = positions.flatMap(({ diedAt, id: deliveryId }) => [diedAt, deliveryId]);
      await collectScript([left], [COLLECTED_KEPT_MS, ...members]);
    }
  }

  return {
    find,
    list,
    findOpen: async () => {
      const [latest] = await list(1);
      return latest && isOpenReplay(latest.state) ? latest : null;
    },
    start: async (filter, { perSecond, by }) => {
      const id = `r${randomBytes(12).toString('base64url')}`;
      const { prefix, replay, left } = keys.replay(id);
      await collect(id, filter);
      const kind = (await startScript(
        [keys.replays, keys.counts, replay, left],
        [prefix, id, JSON.stringify(filter), perSecond, by ?? '', KEPT],
      )) as Started['kind'];
      const started = kind === 'started' ? await find(id) : null;
      if (started) return { kind: 'started', replay: started };
      await redis.unlink(left);
      return { kind: kind === 'open' ? 'open' : 'none' };
    },
    change: async (id, operation) => {
      for (let tries = 0; tries < TRIES; tries += 1) {
        const replay = await find(id);
        if (!replay) return { kind: 'unknown' };
        const next = decideReplayState(replay.state, operation);
        if (next === null) return { kind: 'ended', replay };
        if (next === replay.state) return { kind: 'unchanged', replay };
        if ((await changeScript(partsOf(id), [id, replay.state, next, ENDED_KEPT_MS])) !== 1) continue;
        return { kind: 'changed', replay: (await find(id)) ?? replay };
      }
      throw new Error('the replay was changed by others again and again');
    },
    running: () => redis.hget(keys.counts, 'replaying'),
    claim: async (id, processId) => {
      const reply = (await claimScript(partsOf(id), [processId, LEASE_MS, SLICE, ENDED_KEPT_MS])) as
        [kind: 'stopped' | 'driven' | 'done'] | [kind: 'slice', waitMs: number, fromBefore: number, ids: string[]];
      if (reply[0] !== 'slice') return { kind: reply[0] };
      const [kind, waitMs, fromBefore, ids] = reply;
      return { kind, waitMs, fromBefore, ids };
    },
    skip: async (id, deliveryId, when) => {
      await skipScript([keys.replay(id).replay, keys.dead], [deliveryId, when]);
    },
    release: async (id, processId) => {
      await releaseScript([keys.replay(id).replay], [processId]);
    },
  };
}

function toReplay(id: string, tenantId: string, fields: Record<string, string>): Replay {
  const { filter = '{}', state, by = '', endedAt } = fields;
  const number = (name: string) => Number(fields[name] ?? 0);
  return {
    id,
    tenantId,
    filter: deadLetterFilterSchema.parse(JSON.parse(filter)),
    perSecond: number('perSecond'),
    state: toState(state),
    matched: number('matched'),
    replayed: number('replayed'),
    skipped: number('skipped'),
    startedAt: number('startedAt'),
    endedAt: endedAt === undefined ? null : Number(endedAt),
    by: by === '' ? null : by,
  };
}

function toState(text: string | undefined): ReplayState {
  const state = REPLAY_STATES.find((known) => known === text);
  if (state === undefined) throw new Error('a replay has no known state');
  return state;
}
