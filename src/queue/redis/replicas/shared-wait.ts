// Waits for the replicas of one server: what is asked together, by whatever tenants, shares a wait, since WAIT blocks the connection it is sent on.
import type { Redis } from 'ioredis';
import { isRefused } from '../redis-errors.ts';
import { scriptText } from '../script.ts';
import { watchReplicas, type ReplicaWatch } from './replica-watch.ts';
import { countNeeded, parsePresent, parseSeen, toSeenText } from './replicas-seen.ts';

/** A write was acknowledged by Redis, but not by enough replicas in time: a failover may lose it. */
export class NotReplicated extends Error {
  constructor(reason: string) {
    super(`not replicated: ${reason}`);
    this.name = 'NotReplicated';
  }
}

/** What replicas should have. */
export type Awaited = {
  /** Prefix of keys on this server, with which it is kept how many replicas were seen. */
  root: string;
  /** Null for a probe. */
  what: SavedRecord | SavedCompacted | null;
};

/**
 * A record as it was saved. That there is one would not tell: while a failover is under way two servers take changes of one record,
 * and other results under one id.
 */
export type SavedRecord = {
  record: string;
  /** How much of it is looked at. */
  bytes: number;
  isSaved: (start: string) => boolean;
};

/** What is left of a delivered run once its details are dropped, under the keys with this prefix. */
export type SavedCompacted = {
  root: string;
  id: string;
  /** @param entry in hex */
  isSaved: (entry: string) => boolean;
};

/** Resolves once enough replicas have it. @throws NotReplicated, or what Redis refused */
export type WaitFor = (awaited: Awaited) => Promise<void>;

type Waiting = { awaited: Awaited; joinedAt: number; resolve: () => void; reject: (reason: unknown) => void };

const WITHIN_MS = 1000;
/** Nobody is waiting any more for what joined longer ago. */
const AWAITED_FOR_MS = 1800;
const AT_ONCE = 200;

const FIND_COMPACTED = scriptText('store/find-compacted');

/** It vouches only for what this server has, so that is looked up on it first: after a failover it may not be the one that was written to. */
export function createSharedWait(redis: Redis, minReplicas: number): WaitFor {
  const waiting: Waiting[] = [];
  let isAsking = false;
  let expected = minReplicas;
  const watch = watchReplicas(redis, minReplicas);

  async function flush(): Promise<void> {
    if (isAsking) return;
    isAsking = true;
    while (waiting.length > 0) await ask(waiting.splice(0, AT_ONCE).filter(isAwaited));
    isAsking = false;
  }

  function isAwaited({ joinedAt, reject }: Waiting): boolean {
    const awaited = performance.now() - joinedAt < AWAITED_FOR_MS;
    if (!awaited) reject(new NotReplicated('waited for its turn for too long'));
    return awaited;
  }

  async function ask(entries: readonly Waiting[]): Promise<void> {
    try {
      let left = entries;
      while (left.length > 0) left = await askOnce(left);
    } catch (error) {
      for (const { reject } of entries) reject(toReason(error));
    }
  }

  /** @returns those for which it has to wait once more, as more replicas are there than it waited for */
  async function askOnce(entries: readonly Waiting[]): Promise<Waiting[]> {
    const waitedFor = expected;
    const { byRoot, areThere, replicas } = await exchange(redis, entries, { waitedFor, minReplicas, watch });
    // Also when there are fewer than before: a wait for one that is gone would last until its time is up, at each call.
    expected = Math.max(minReplicas, ...Array.from(byRoot.values(), ({ needed = 0 }) => needed));
    return entries.filter(({ awaited: { root }, resolve, reject }, index) => {
      const { needed = minReplicas, error } = byRoot.get(root) ?? {};
      const failure = error ?? areThere[index];
      if (failure instanceof Error) reject(toReason(failure));
      else if (replicas >= needed) {
        if (failure === false) reject(new NotReplicated('the server that answers now does not have it'));
        else resolve();
      } else if (replicas < waitedFor || needed <= waitedFor)
        reject(new NotReplicated(`${replicas} of ${needed} replicas have it after ${WITHIN_MS} ms`));
      else return true;
      return false;
    });
  }

  return (awaited) => {
    const { promise, resolve, reject } = Promise.withResolvers<undefined>();
    waiting.push({ awaited, joinedAt: performance.now(), resolve: () => resolve(undefined), reject });
    if (waiting.length === 1) setImmediate(() => void flush());
    return promise;
  };
}

/** Without an answer nobody vouches. What Redis itself refuses is passed on: it says why. */
export function toReason(error: unknown): Error {
  if (error instanceof NotReplicated || isRefused(error)) return error;
  return new NotReplicated(error instanceof Error ? error.message : 'no answer');
}

type Reply = [error: Error | null, value: unknown];

/** Of the keys with one prefix: how many replicas are needed, or why they are not to be had on this server. */
type OfRoot = { needed?: number; error?: Error };

type Exchange = { byRoot: Map<string, OfRoot>; areThere: (boolean | Error)[]; replicas: number };

/**
 * On one connection: what the server has, who follows it, a write after that, and the wait for replicas to have that write.
 * Without the right to INFO, only the number asked for counts.
 */
async function exchange(
  redis: Redis,
  entries: readonly Waiting[],
  { waitedFor, minReplicas, watch }: { waitedFor: number; minReplicas: number; watch: ReplicaWatch },
): Promise<Exchange> {
  const roots = [...new Set(entries.map(({ awaited: { root } }) => root))];
  const commands = redis.pipeline();
  for (const { awaited } of entries) addLookup(commands, awaited);
  for (const root of roots) commands.get(seenKey(root)).set(`${root}:vouched`, '1');
  commands.time().info('replication').wait(waitedFor, WITHIN_MS);
  const replies = ((await commands.exec()) ?? []) as (Reply | undefined)[];
  const [time, info, waited] = replies.slice(entries.length + REPLIES_OF_A_ROOT * roots.length);
  if (!time || !info || !waited) throw new NotReplicated('the connection was lost');
  for (const [error] of [time, waited]) if (error) throw error;
  const present = info[0] ? null : parsePresent(String(info[1]), toInstant(time[1] as [string, string]));
  const neededHere = info[0] ? 0 : watch.note(String(info[1]));

  const byRoot = new Map<string, OfRoot>();
  const news = new Map<string, string>();
  for (const [index, root] of roots.entries()) {
    const [seen, written] = replies.slice(entries.length + REPLIES_OF_A_ROOT * index);
    const error = seen?.[0] ?? written?.[0];
    if (error) byRoot.set(root, { error });
    else if (present) {
      const counted = countNeeded(parseSeen(seen?.[1] as string | null), present, minReplicas);
      byRoot.set(root, { needed: Math.max(counted.needed, neededHere) });
      const text = toSeenText(counted.seen);
      if (text !== seen?.[1]) news.set(seenKey(root), text);
    }
  }
  await keep(redis, news);
  const areThere = entries.map(({ awaited }, index) => isThere(awaited, replies[index]));
  return { byRoot, areThere, replicas: Number(waited[1]) };
}

const REPLIES_OF_A_ROOT = 2;
const seenKey = (root: string): string => `${root}:replicas`;

function addLookup(commands: ReturnType<Redis['pipeline']>, { what, root }: Awaited): void {
  // Each has one reply.
  if (what === null) commands.exists(`${root}:vouched`);
  else if ('record' in what) commands.getrange(what.record, 0, what.bytes - 1);
  else commands.call('EVAL', FIND_COMPACTED, 1, what.root, what.root, what.id);
}

async function keep(redis: Redis, texts: ReadonlyMap<string, string>): Promise<void> {
  if (texts.size === 0) return;
  const commands = redis.pipeline();
  for (const [key, text] of texts) commands.set(key, text);
  await commands.exec();
}

function isThere({ what }: Awaited, reply: Reply | undefined): boolean | Error {
  const [error, value] = reply ?? [new NotReplicated('the connection was lost'), null];
  return error ?? (what === null || (typeof value === 'string' && what.isSaved(value)));
}

const toInstant = ([seconds, micros]: [string, string]): number =>
  Number(seconds) * 1000 + Math.floor(Number(micros) / 1000);
