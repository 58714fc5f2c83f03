// The two ends of a move: what is known of it at each, and the steps that change that.
import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../connection.ts';
import { scriptOf } from '../script.ts';
import { AnotherRun, TargetSetBack } from './writer.ts';

/**
 * At the source. `begun`: the target may not know of it yet · `copying` beside live traffic · `draining`: no attempt begins any
 * more · `closed`: nobody works on the data, and what is left to copy does not change · `opening`: the target has all of it, and may be
 * opened at any moment, so that this is taken back only with the target at hand · `done`: the target was opened · `removing`: what was
 * left behind is removed, by the run in the field `run` · `finished` · `cancelling`: the source works again, and the target's copy is
 * removed.
 */
const SOURCE_STATES = [
  'begun',
  'copying',
  'draining',
  'closed',
  'opening',
  'done',
  'removing',
  'finished',
  'cancelling',
] as const;
export type SourceState = (typeof SOURCE_STATES)[number];

/** Whether the target has been opened. */
export const isPastOpening = (state: SourceState): boolean => ['done', 'removing', 'finished'].includes(state);

/** What the source knows of its move. */
export type SourceMove = {
  id: string;
  state: SourceState;
  /** Where to, in words without credentials. */
  peer: string;
  /** When it came into this state, or was done if it is past that; in milliseconds since 1970 on the source's clock. */
  at: number;
  /** The same for when the tenant was closed; 0 before. */
  closedAt: number;
  /** The format of the data before it was closed, '' for the first. */
  format: string;
  /** What was verified; 0 before. */
  keys: number;
  bytes: number;
};

/** What becomes of the tenant at the source, see `lua/move/change-source.lua`. */
type Change = {
  /** Null if there is no move. */
  id: string | null;
  from: SourceState | null;
  to: SourceState | null;
  tenant: 'drain' | 'close' | 'stay-closed' | 'open' | 'keep';
  /** What processes are told while it is closed. */
  told?: string;
  fields?: Record<string, string>;
};

export type SourceEnd = {
  /** Null if there is none, or it was a move to here. */
  read: () => Promise<SourceMove | null>;
  /** @returns false if it is in another state, or no longer closed although it should be. @throws AnotherRun */
  change: (change: Change) => Promise<boolean>;
  /** @returns false if another run has it */
  takeLock: () => Promise<boolean>;
  releaseLock: () => Promise<void>;
  past: PastMoves;
  /** Attempts under way. */
  countDelivering: () => Promise<number>;
  /** Milliseconds since 1970. */
  now: () => Promise<number>;
};

/** `left`: cancelled, and its copy is still at the target, which was not there at the time · `arrived`: from elsewhere, and in use since. */
type PastMove = 'left' | 'arrived';

/** What became of earlier moves at one of the two ends, by id. */
export type PastMoves = {
  isKnown: (id: string, as: PastMove) => Promise<boolean>;
  /** Moves that arrived are remembered by the scripts. */
  addLeft: (id: string) => Promise<void>;
  remove: (id: string) => Promise<void>;
};

function createPastMoves(connection: RedisConnection, { pastMoves }: Keys): PastMoves {
  return {
    isKnown: async (id, as) => (await connection.hget(pastMoves, id)) === as,
    addLeft: async (id) => {
      await connection.hset(pastMoves, id, 'left' satisfies PastMove);
    },
    remove: async (id) => {
      await connection.hdel(pastMoves, id);
    },
  };
}

/** A run that does not renew it for this long counts as dead. One that only stood still can harm nothing: the scripts refuse what it writes. */
export const LOCK_MS = 5000;

type EndParts = { connection: RedisConnection; keys: Keys; run: string };

const ROLE = 'from';

export function createSourceEnd({ connection, keys, run }: EndParts): SourceEnd {
  const { move, moveLock, pastMoves, counts } = keys;
  const changeScript = scriptOf(connection, 'move/change-source');
  const takeScript = scriptOf(connection, 'move/take-lock');
  const releaseScript = scriptOf(connection, 'move/release-lock');
  const timeScript = scriptOf(connection, 'redis/read-time');

  return {
    read: async () => {
      const { id, role, state, peer = '', format = '', ...figures } = await connection.hgetall(move);
      const known = SOURCE_STATES.find((one) => one === state);
      if (id === undefined || role !== ROLE || known === undefined) return null;
      const [at = 0, closedAt = 0, keysMoved = 0, bytes = 0] = ['at', 'closedAt', 'keys', 'bytes'].map((name) =>
        Number(figures[name] ?? 0),
      );
      return { id, state: known, peer, at, closedAt, format, keys: keysMoved, bytes };
    },
    change: async ({ id, from, to, tenant, told = '', fields = {} }) => {
      const args = [
        run,
        id ?? '',
        from ?? '',
        to ?? '',
        tenant,
        told,
        ...Object.entries({ role: ROLE, ...fields }).flat(),
      ];
      const reply = await changeScript([moveLock, move, counts, pastMoves], args);
      if (reply === 'lost') throw new AnotherRun();
      return reply === 'changed';
    },
    takeLock: async () => (await takeScript([moveLock], [run, LOCK_MS])) === 1,
    releaseLock: async () => {
      await releaseScript([moveLock], [run]);
    },
    past: createPastMoves(connection, keys),
    countDelivering: async () => Number((await connection.hget(counts, 'delivering')) ?? 0),
    now: async () => {
      const [seconds, micros] = (await timeScript([counts], [])) as [string, string];
      return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
    },
  };
}

/** `untouched`: nothing was copied to it, and nobody has made sure yet that it is empty · `filling` · `opened`: the move is done · `taken`: by another move. */
export type Claimed = 'untouched' | 'filling' | 'opened' | 'taken';

/** What the target knows of a move. `keys` and `bytes` are what was verified; 0 before. */
export type TargetMove = {
  id: string;
  role: string;
  state: string;
  peer: string;
  /** The run that has it; '' if none. */
  run: string;
  keys: number;
  bytes: number;
};

/** `told`: what processes are told. `seen`: the target as it was read; a claim fails if it has changed since. */
type Claim = { peer: string; told: string; seen: TargetMove | null };

/** The data that is to be there: its `format`, '' for the first, and the `mark` without which a part of it is missing. */
type Opening = Pick<SourceMove, 'format' | 'keys' | 'bytes'> & { mark: string };

export type TargetEnd = {
  read: () => Promise<TargetMove | null>;
  past: Pick<PastMoves, 'isKnown'>;
  /** Closes the tenant there for this run. @throws AnotherRun */
  claim: (id: string, of: Claim) => Promise<Claimed>;
  /** It was empty when it was claimed, and is filled from now on. @throws AnotherRun */
  confirmEmpty: (id: string) => Promise<void>;
  /** The last mark that was written. A server with this mark has all that was written before it, also after a failover. */
  readMark: () => Promise<string | null>;
  /** Processes may work on it. @throws AnotherRun, TargetSetBack */
  open: (id: string, opening: Opening) => Promise<void>;
  /** It stays closed: processes that point there must not serve an empty tenant. @throws AnotherRun */
  cancel: (id: string, told: string) => Promise<void>;
  /** As if it had never been claimed; told is what processes are told if it had been closed before. @throws AnotherRun */
  forget: (id: string, told: string) => Promise<void>;
};

export function createTargetEnd({ connection, keys, run }: EndParts): TargetEnd {
  const { move, counts, revoked, pastMoves } = keys;
  const claimScript = scriptOf(connection, 'move/claim-target');
  const changeScript = scriptOf(connection, 'move/change-target');

  type Next = 'empty' | 'opened' | 'cancelled' | 'forgotten';
  async function change(id: string, to: Next, ...args: (string | number)[]): Promise<void> {
    const reply = await changeScript([move, counts, revoked, pastMoves], [id, run, to, ...args]);
    if (reply === 'set-back') throw new TargetSetBack();
    if (reply !== 'changed') throw new AnotherRun();
  }

  return {
    read: async () => {
      const { id, role = '', state = '', peer = '', run: itsRun = '', ...verified } = await connection.hgetall(move);
      const [moved, bytes] = [Number(verified['keys'] ?? 0), Number(verified['bytes'] ?? 0)];
      return id === undefined ? null : { id, role, state, peer, run: itsRun, keys: moved, bytes };
    },
    past: createPastMoves(connection, keys),
    claim: async (id, { peer, told, seen }) => {
      const args = [id, run, peer, told, seen?.id ?? '', seen?.state ?? '', seen?.run ?? ''];
      const reply = (await claimScript([move, counts], args)) as Claimed | 'stale';
      if (reply === 'stale') throw new AnotherRun();
      return reply;
    },
    confirmEmpty: (id) => change(id, 'empty'),
    readMark: () => connection.hget(move, 'mark'),
    open: (id, { format, mark, keys: moved, bytes }) =>
      change(id, 'opened', format, mark, 'keys', moved, 'bytes', bytes),
    cancel: (id, told) => change(id, 'cancelled', told),
    forget: (id, told) => change(id, 'forgotten', told),
  };
}
