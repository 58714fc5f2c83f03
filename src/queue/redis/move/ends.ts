// The two ends of a move: what is known of it at each, and the steps that change that.
import type { Keys } from '../keys.ts';
import type { RedisConnection } from '../connection.ts';
import { scriptOf } from '../script.ts';
import { AnotherRun } from './writer.ts';

/**
 * At the source. `begun`: the target may not know of it yet · `copying` beside live traffic · `draining`: no attempt begins any
 * more · `closed`: nobody works on the data, and what is left to copy does not change · `opening`: the target has all of it, so
 * this cannot be taken back · `done` · `finished`: and the data is removed here · `cancelling`.
 */
const SOURCE_STATES = ['begun', 'copying', 'draining', 'closed', 'opening', 'done', 'finished', 'cancelling'] as const;
export type SourceState = (typeof SOURCE_STATES)[number];

/** What the source knows of its move. */
export type SourceMove = {
  id: string;
  state: SourceState;
  /** Where to, in words without credentials. */
  peer: string;
  /** When it came into this state, in milliseconds since 1970 on the source's clock. */
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
  /** Remembers a move whose copy stays at its target. */
  leave: (move: Pick<SourceMove, 'id' | 'peer'>) => Promise<void>;
  /** Whether the copy of a cancelled move was left at its target. */
  hasLeft: (id: string) => Promise<boolean>;
  /** The copy has been removed. */
  forgetLeft: (id: string) => Promise<void>;
  /** Attempts under way. */
  countDelivering: () => Promise<number>;
  /** Milliseconds since 1970. */
  now: () => Promise<number>;
};

/** A run that does not renew it for this long counts as dead. One that only stood still can harm nothing: its writes are refused. */
export const LOCK_MS = 5000;

type EndParts = { connection: RedisConnection; keys: Keys; run: string };

const ROLE = 'from';

export function createSourceEnd({ connection, keys, run }: EndParts): SourceEnd {
  const { move, moveLock, moveLeft, counts } = keys;
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
      const reply = await changeScript([moveLock, move, counts], args);
      if (reply === 'lost') throw new AnotherRun();
      return reply === 'changed';
    },
    takeLock: async () => (await takeScript([moveLock], [run, LOCK_MS])) === 1,
    releaseLock: async () => {
      await releaseScript([moveLock], [run]);
    },
    leave: async ({ id, peer }) => {
      await connection.hset(moveLeft, id, peer);
    },
    hasLeft: async (id) => (await connection.hexists(moveLeft, id)) === 1,
    forgetLeft: async (id) => {
      await connection.hdel(moveLeft, id);
    },
    countDelivering: async () => Number((await connection.hget(counts, 'delivering')) ?? 0),
    now: async () => {
      const [seconds, micros] = (await timeScript([counts], [])) as [string, string];
      return Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
    },
  };
}

/** `claimed`: nobody has made sure yet that it was empty · `continued`: somebody has · `opened`: it is done · `taken`: by another move. */
export type Claimed = 'claimed' | 'continued' | 'opened' | 'taken';

/** What the target knows of a move. `keys` and `bytes` are what was verified; 0 before. */
export type TargetMove = { id: string; role: string; state: string; peer: string; keys: number; bytes: number };

/** `isOwn`: it has to be the target of this move already. */
type Claim = { peer: string; told: string; isOwn?: boolean };

export type TargetEnd = {
  read: () => Promise<TargetMove | null>;
  /** Closes the tenant there for this run. @param told what processes are told */
  claim: (id: string, of: Claim) => Promise<Claimed>;
  /** It was empty when it was claimed, and is filled from now on. @throws AnotherRun */
  confirmEmpty: (id: string) => Promise<void>;
  /** Processes may work on it. @param format of its data, '' for the first. @throws AnotherRun */
  open: (id: string, format: string) => Promise<void>;
  /** It stays closed: processes that point there must not serve an empty tenant. @throws AnotherRun */
  cancel: (id: string, told: string) => Promise<void>;
  /** As if it had never been claimed. @throws AnotherRun */
  forget: (id: string) => Promise<void>;
};

export function createTargetEnd({ connection, keys, run }: EndParts): TargetEnd {
  const { move, counts, revoked } = keys;
  const claimScript = scriptOf(connection, 'move/claim-target');
  const changeScript = scriptOf(connection, 'move/change-target');

  async function change(id: string, to: 'empty' | 'opened' | 'cancelled' | 'forgotten', text: string): Promise<void> {
    if ((await changeScript([move, counts, revoked], [id, run, to, text])) !== 'changed') throw new AnotherRun();
  }

  return {
    read: async () => {
      const { id, role = '', state = '', peer = '', keys: moved, bytes } = await connection.hgetall(move);
      return id === undefined ? null : { id, role, state, peer, keys: Number(moved ?? 0), bytes: Number(bytes ?? 0) };
    },
    claim: async (id, { peer, told, isOwn }) =>
      (await claimScript([move, counts], [id, run, peer, told, isOwn ? 'own' : ''])) as Claimed,
    confirmEmpty: (id) => change(id, 'empty', ''),
    open: (id, format) => change(id, 'opened', format),
    cancel: (id, told) => change(id, 'cancelled', told),
    forget: (id) => change(id, 'forgotten', ''),
  };
}
