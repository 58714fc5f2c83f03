// Accepts run results, each run once. Results arriving together share a script call; one that arrives alone does not wait.
import { setTimeout as delay } from 'node:timers/promises';
import { createDelivery, type Delivery } from '../../domain/delivery.ts';
import { configurationKey } from '../../domain/hold/hold.ts';
import { withNote } from '../../domain/attempt/note.ts';
import { rank as rankOf, type Priority, type Rank } from '../../domain/priority.ts';
import { isCompletedAhead, toSupersessionOrder } from '../../domain/supersession.ts';
import { toText, type RunResult } from '../../domain/submission/run-result.ts';
import { toSaid, type Said } from '../../domain/submission/fingerprinted-text.ts';
import type { Fingerprints } from './fingerprints.ts';
import { toReportArgs } from '../devices/report.ts';
import type { Keys } from '../redis/keys.ts';
import { scriptOnList, type WaitingList } from './waiting-list.ts';
import { parseCompacted, toNumbers, toSavedCompacted } from './compacted.ts';
import {
  fingerprintOf,
  nextRevision,
  parseHeader,
  parseRecord,
  refuseNewer,
  searchHash,
  toBody,
  toSavedRun,
  type ListPosition,
} from './record.ts';
import type { RedisConnection } from '../redis/connection.ts';
import type { Replicated } from '../redis/replicas/replication.ts';
import { DecryptionFailed, type PayloadCipher } from './payload-cipher.ts';

/**
 * The result of a submission, and how many deliveries will be created before it while it waits. Of a compacted delivery only
 * the run, the instants and that it is delivered are known.
 */
export type Accepted =
  { kind: 'accepted' | 'duplicate'; delivery: Delivery; ahead: number | null } | { kind: 'conflict' };

export type Accept = (run: RunResult, now: number, about?: Partial<About>) => Promise<Accepted>;

/** Information about a submission besides the run result that is stored. */
type About = {
  /** The submission before masking, by which a repeated run is recognised. */
  said: Said;
  traceparent: string | null;
};

/** Of two open deliveries for one device and configuration, the older one need not be created. */
export type OnSuperseded = (older: string, newer: string) => void;

export type AcceptanceSettings = { priority: Priority; supersede: boolean };

/** How many promoted deliveries are due, and how many ever left and joined each rank's waiting list. */
type ListState = [due: number, left: number[], joined: number[]];

/** The existing record, empty if the call had to be repeated; `other` if its fingerprint differs, `newer` if a newer version wrote it. */
type Known = ['duplicate' | 'other' | 'newer', record: string];

/** An accepted run without competitors is answered by its sequence number alone. */
type Answer =
  | number
  | ['accepted', place: number, older: string, newer: string]
  | Known
  /** What is left of it once its details are dropped, in hex. */
  | ['compacted', entry: string];

type Reply = [answers: Answer[], promoted: string[], ...ListState];

type Entry = {
  run: RunResult;
  said: Said;
  delivery: Delivery;
  /** Empty until it is sent. */
  fingerprint: string;
  rank: Rank;
  joinedAt: number;
  resolve: (settled: Settled) => void;
  reject: (reason: unknown) => void;
};

/** An answer, and what the server that gave it has of this run. */
type Settled = { accepted: Accepted; id: string; fingerprint: string; isCompacted: boolean };

/** Limit per script call, so that it blocks Redis for well under a millisecond. */
const ACCEPTED_AT_ONCE = 100;
/**
 * Under load a call starts this long after the one before, unless so many wait: each call costs several times what one result
 * in it does, here and in Redis, which writes to its disk once for each.
 */
const UNDER_LOAD = { callEveryMs: 5, enough: 40 };
/** API callers get an error after 1.8 s. */
const AWAITED_FOR_MS = 1800;

export type AcceptanceParts = {
  redis: RedisConnection;
  keys: Pick<Keys, 'root' | 'delivery'>;
  waitingList: WaitingList;
  tenantId: string;
  cipher: PayloadCipher;
  fingerprints: Fingerprints;
  settings: AcceptanceSettings;
  replicas: Pick<Replicated, 'waitFor'>;
  /** Called after both are stored. */
  onSuperseded: OnSuperseded;
};

/** Creates the acceptance of one tenant. Once resolved, a run is as durable as Redis is. Safe to repeat and to race. */
export function createAcceptance(parts: AcceptanceParts): Accept {
  const { redis, keys, waitingList, tenantId, cipher, fingerprints, onSuperseded } = parts;
  const { priority, supersede } = parts.settings;
  const acceptScript = scriptOnList(redis, waitingList, 'store/accept-deliveries');
  const waiting: Entry[] = [];
  let sending = false;
  /** The latest call. */
  let latest = { at: -Infinity, entries: 0 };

  function toArgs({ run, delivery, fingerprint, rank }: Entry): (string | number)[] {
    const text = toText(run);
    const identity = `${fingerprint} ${searchHash(run.deviceId)} ${searchHash(run.runId)}`;
    const order = supersede ? toSupersessionOrder(run, delivery.acceptedAt) : null;
    const place = [order?.supersessionKey ?? '', order?.instant ?? ''];
    return [
      delivery.id,
      toNumbers(delivery.id),
      delivery.acceptedAt,
      identity,
      rank,
      toBody(delivery, text, cipher),
      ...place,
      configurationKey(run.hardwareConfigurationId),
      ...toReportArgs(tenantId, run, cipher),
      nextRevision(0),
    ];
  }

  /** Batches submissions that arrive in one turn of the event loop, while a call is in progress or, under load, shortly after it. */
  async function flush(): Promise<void> {
    if (sending) return;
    sending = true;
    while (waiting.length > 0) {
      await gather();
      const entries = waiting.splice(0, ACCEPTED_AT_ONCE).filter(isAwaited);
      latest = { at: performance.now(), entries: entries.length };
      await send(entries);
    }
    sending = false;
  }

  async function gather(): Promise<void> {
    if (latest.entries < 2 || waiting.length >= UNDER_LOAD.enough) return;
    const nextAt = latest.at + UNDER_LOAD.callEveryMs;
    // Timers drop fractions of a millisecond, and may be early.
    while (performance.now() < nextAt) await delay(Math.ceil(nextAt - performance.now()));
  }

  /** Whether the caller is still waiting; after a long hang of Redis it has already got an error. */
  function isAwaited({ joinedAt, reject }: Entry): boolean {
    const awaited = performance.now() - joinedAt < AWAITED_FOR_MS;
    if (!awaited) reject(new Error('waited for Redis for too long'));
    return awaited;
  }

  async function send(entries: readonly Entry[]): Promise<void> {
    if (entries.length === 0) return;
    try {
      const makeFingerprint = await fingerprints.ready();
      for (const entry of entries) entry.fingerprint = makeFingerprint(entry.said);
      const args = entries.flatMap(toArgs);
      const reply = (await acceptScript([], [entries.length, ...args])) as Reply;
      const [answers, promoted, ...state] = reply;
      // They are stored, which is what counts; if enqueueing fails, the sweep repeats it.
      if (promoted.length > 0) await waitingList.enqueue(promoted).catch(() => undefined);
      entries.forEach((entry, index) => {
        settle(entry, answers[index], promoted, state).catch(entry.reject);
      });
    } catch (error) {
      entries.forEach(({ reject }) => reject(error));
    }
  }

  async function inFull({ delivery: { id } }: Entry, answer: Answer = ['other', '']): Promise<Answer> {
    if (typeof answer === 'number' || answer[0] === 'accepted' || answer[0] === 'compacted') return answer;
    if (answer[1] !== '') return answer;
    return [answer[0], (await redis.get(keys.delivery(id))) ?? ''];
  }

  /** A record that was read by itself may be another server's than the one that compared it. */
  async function isSameRun(answered: Answer | undefined, [kind, record]: Known, said: Said): Promise<boolean> {
    const isCompared = kind === 'duplicate' && Array.isArray(answered) && answered[1] !== '';
    return isCompared || fingerprints.isOf(fingerprintOf(record), said);
  }

  async function settle(
    entry: Entry,
    answered: Answer | undefined,
    promoted: readonly string[],
    lists: ListState,
  ): Promise<void> {
    const { said, delivery, rank } = entry;
    const answer = await inFull(entry, answered);
    if (typeof answer !== 'number' && answer[0] === 'newer') refuseNewer(delivery.id, answer[1]);
    const resolve = (accepted: Accepted, fingerprint: string, isCompacted = false) =>
      entry.resolve({ accepted, id: delivery.id, fingerprint, isCompacted });
    const aheadOf = (number: number) =>
      promoted.includes(delivery.id) ? lists[0] - 1 : countAhead({ rank, number }, lists);
    if (typeof answer === 'number') {
      resolve({ kind: 'accepted', delivery, ahead: aheadOf(answer) }, entry.fingerprint);
    } else if (answer[0] === 'accepted') {
      const [kind, number, older, newer] = answer;
      resolve({ kind, delivery, ahead: aheadOf(number) }, entry.fingerprint);
      if (older !== '') onSuperseded(older, delivery.id);
      if (newer !== '') onSuperseded(delivery.id, newer);
    } else if (answer[0] === 'compacted') {
      const { delivery: known, fingerprint } = parseCompacted(delivery.id, tenantId, answer[1]);
      const { acceptedAt, deliveredAt } = known;
      const delivered = { ...delivery, status: 'delivered' as const, acceptedAt, deliveredAt };
      const isSame = await fingerprints.isOf(fingerprint, said);
      resolve(
        isSame ? { kind: 'duplicate', delivery: delivered, ahead: null } : { kind: 'conflict' },
        fingerprint,
        true,
      );
    } else if (!(await isSameRun(answered, answer, said))) {
      resolve({ kind: 'conflict' }, fingerprintOf(answer[1]));
    } else {
      const { base, place } = parseHeader(delivery.id, tenantId, answer[1]);
      const known = readKnown(delivery.id, answer[1]) ?? { ...delivery, ...base };
      const ahead = known.status === 'queued' ? countAhead(place, lists) : null;
      resolve({ kind: 'duplicate', delivery: known, ahead }, fingerprintOf(answer[1]));
    }
  }

  /** Null if it is sealed with a removed key; the receipt only needs what the header contains. */
  function readKnown(id: string, record: string): Delivery | null {
    try {
      return parseRecord({ id, tenantId, record, cipher }).delivery;
    } catch (error) {
      if (error instanceof DecryptionFailed) return null;
      throw error;
    }
  }

  /** What a device hears has to be true after a failover too: it forgets what was acknowledged, and what was refused for good. */
  async function replicated({ accepted, id, fingerprint, isCompacted }: Settled): Promise<Accepted> {
    await parts.replicas.waitFor(
      isCompacted ? toSavedCompacted(keys.root, id, fingerprint) : toSavedRun(keys.delivery(id), fingerprint),
    );
    return accepted;
  }

  return (run, now, { said = toSaid(run), traceparent = null } = {}) => {
    const { promise, resolve, reject } = Promise.withResolvers<Settled>();
    const isAhead = supersede && isCompletedAhead(run, now);
    const begun = createDelivery({ tenantId, run, now, traceparent });
    const delivery = isAhead ? withNote(begun, { code: 'completed-ahead', at: now, by: null }) : begun;
    const rank = rankOf(run, priority);
    waiting.push({ run, said, delivery, fingerprint: '', rank, joinedAt: performance.now(), resolve, reject });
    if (waiting.length === 1) setImmediate(() => void flush());
    return promise.then(replicated);
  };
}

/** How many go before a position: due promoted ones, all of better ranks, and earlier ones of the same rank. */
function countAhead({ rank, number }: ListPosition, [due, left, joined]: ListState): number {
  let ahead = due + Math.max(0, number - 1 - (left[rank] ?? 0));
  for (let better = 0; better < rank; better += 1) ahead += (joined[better] ?? 0) - (left[better] ?? 0);
  return ahead;
}
