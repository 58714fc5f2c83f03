// Accepting run results: each run once, those that arrive together in one script call, nobody waits when nothing is under way.
import { createDelivery, type Delivery } from '../../domain/delivery.ts';
import { configurationKey } from '../../domain/hold/hold.ts';
import { withNote } from '../../domain/attempt/note.ts';
import { isCompletedAhead, rank as rankOf, toContestant, type Priority, type Rank } from '../../domain/order.ts';
import { toText, type RunResult } from '../../domain/submission/run-result.ts';
import { toSaid, type Said } from '../../domain/submission/fingerprinted-text.ts';
import type { Fingerprints, MakeFingerprint } from './fingerprints.ts';
import type { Keys } from '../redis/keys.ts';
import { scriptOnList, type WaitingList } from './waiting-list.ts';
import { fingerprintOf, parseHeader, parseRecord, searchHash, toBody, type ListPosition } from './record.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { DecryptionFailed, type PayloadCipher } from './payload-cipher.ts';

/** What became of a run result, and how many are created before it while it waits. */
export type Accepted =
  { kind: 'accepted' | 'duplicate'; delivery: Delivery; ahead: number | null } | { kind: 'conflict' };

export type Accept = (run: RunResult, now: number, about?: Partial<About>) => Promise<Accepted>;

/** What is known of a submission beside the run result that is kept. */
type About = {
  /** What the device said before anything was masked: the same run again is known by this. */
  said: Said;
  traceparent: string | null;
};

/** Of two open deliveries of one device and configuration, the older need not be created. */
export type OnSuperseded = (older: string, newer: string) => void;

export type AcceptanceSettings = { priority: Priority; supersede: boolean };

/** How many promoted deliveries are due, and for each rank how many ever left and joined its waiting list. */
type ListState = [due: number, left: number[], joined: number[]];

/** One that was accepted and competes with none is answered with its place alone. */
type Answer =
  | number
  | ['accepted', place: number, older: string, newer: string]
  /** What is known of the run, empty where the call had to be repeated; `other` where its fingerprint is another. */
  | ['duplicate' | 'other', record: string];

type Reply = [answers: Answer[], promoted: string[], ...ListState];

type Entry = {
  run: RunResult;
  said: Said;
  delivery: Delivery;
  rank: Rank;
  joinedAt: number;
  resolve: (accepted: Accepted) => void;
  reject: (reason: unknown) => void;
};

/** One script call holds no more: it blocks Redis for well under a millisecond. */
const ACCEPTED_AT_ONCE = 100;
/** A caller of the API hears no after 1.8 s. */
const AWAITED_FOR_MS = 1800;

/**
 * Makes the acceptance of one tenant: resolved, a run is as durable as Redis is. Safe to repeat and to race.
 * @param onSuperseded told after both are stored
 */
export function createAcceptance(
  redis: RedisConnection,
  keys: Pick<Keys, 'delivery'>,
  waitingList: WaitingList,
  tenantId: string,
  cipher: PayloadCipher,
  fingerprints: Fingerprints,
  { priority, supersede }: AcceptanceSettings,
  onSuperseded: OnSuperseded,
): Accept {
  const acceptScript = scriptOnList(redis, waitingList, 'store/accept-deliveries');
  const waiting: Entry[] = [];
  let sending = false;

  function toArgs({ run, said, delivery, rank }: Entry, makeFingerprint: MakeFingerprint): (string | number)[] {
    const text = toText(run);
    const identity = `${makeFingerprint(said)} ${searchHash(run.deviceId)} ${searchHash(run.runId)}`;
    const contestant = supersede ? toContestant(run, delivery.acceptedAt) : null;
    const place = [contestant?.supersessionKey ?? '', contestant?.instant ?? ''];
    return [
      delivery.id,
      delivery.acceptedAt,
      identity,
      rank,
      toBody(delivery, text, cipher),
      ...place,
      configurationKey(run.hardwareConfigurationId),
    ];
  }

  /** What arrives in one turn of the event loop goes together, and so does what arrives while a call is on its way. */
  async function flush(): Promise<void> {
    if (sending) return;
    sending = true;
    while (waiting.length > 0) await send(waiting.splice(0, ACCEPTED_AT_ONCE).filter(isAwaited));
    sending = false;
  }

  /** Redis hung for so long that the caller has heard no; storing it now would be for nobody. */
  function isAwaited({ joinedAt, reject }: Entry): boolean {
    const awaited = performance.now() - joinedAt < AWAITED_FOR_MS;
    if (!awaited) reject(new Error('waited for Redis for too long'));
    return awaited;
  }

  async function send(entries: readonly Entry[]): Promise<void> {
    if (entries.length === 0) return;
    try {
      const makeFingerprint = await fingerprints.ready();
      const args = entries.flatMap((entry) => toArgs(entry, makeFingerprint));
      const reply = (await acceptScript([], [entries.length, ...args])) as Reply;
      const [answers, promoted, ...state] = reply;
      // They are stored, which is what counts: if enqueueing fails, the sweep does it.
      if (promoted.length > 0) await waitingList.enqueue(promoted).catch(() => undefined);
      entries.forEach((entry, index) => {
        settle(entry, answers[index], promoted, state).catch(entry.reject);
      });
    } catch (error) {
      entries.forEach(({ reject }) => reject(error));
    }
  }

  async function inFull({ delivery: { id } }: Entry, answer: Answer = ['other', '']): Promise<Answer> {
    if (typeof answer === 'number' || answer[0] === 'accepted' || answer[1] !== '') return answer;
    return [answer[0], (await redis.get(keys.delivery(id))) ?? ''];
  }

  async function settle(
    entry: Entry,
    answered: Answer | undefined,
    promoted: readonly string[],
    lists: ListState,
  ): Promise<void> {
    const { said, delivery, rank, resolve } = entry;
    const answer = await inFull(entry, answered);
    const aheadOf = (number: number) =>
      promoted.includes(delivery.id) ? lists[0] - 1 : countAhead({ rank, number }, lists);
    if (typeof answer === 'number') {
      resolve({ kind: 'accepted', delivery, ahead: aheadOf(answer) });
    } else if (answer[0] === 'accepted') {
      const [kind, number, older, newer] = answer;
      resolve({ kind, delivery, ahead: aheadOf(number) });
      if (older !== '') onSuperseded(older, delivery.id);
      if (newer !== '') onSuperseded(delivery.id, newer);
    } else if (answer[0] === 'other' && !(await fingerprints.isOf(fingerprintOf(answer[1]), said))) {
      resolve({ kind: 'conflict' });
    } else {
      const { base, place } = parseHeader(delivery.id, tenantId, answer[1]);
      const known = readKnown(delivery.id, answer[1]) ?? { ...delivery, ...base };
      const ahead = known.status === 'queued' ? countAhead(place, lists) : null;
      resolve({ kind: 'duplicate', delivery: known, ahead });
    }
  }

  /** Null where it is sealed with a key that is gone; the receipt asks for no more than its header has. */
  function readKnown(id: string, record: string): Delivery | null {
    try {
      return parseRecord(id, tenantId, record, cipher).delivery;
    } catch (error) {
      if (error instanceof DecryptionFailed) return null;
      throw error;
    }
  }

  return (run, now, { said = toSaid(run), traceparent = null } = {}) => {
    const { promise, resolve, reject } = Promise.withResolvers<Accepted>();
    const isAhead = supersede && isCompletedAhead(run, now);
    const begun = createDelivery(tenantId, run, now, traceparent);
    const delivery = isAhead ? withNote(begun, { code: 'completed-ahead', at: now, by: null }) : begun;
    waiting.push({ run, said, delivery, rank: rankOf(run, priority), joinedAt: performance.now(), resolve, reject });
    if (waiting.length === 1) setImmediate(() => void flush());
    return promise;
  };
}

/** How many go before a position: the promoted ones that are due, all of a better rank, and those before it in its own rank. */
function countAhead({ rank, number }: ListPosition, [due, left, joined]: ListState): number {
  let ahead = due + Math.max(0, number - 1 - (left[rank] ?? 0));
  for (let better = 0; better < rank; better += 1) ahead += (joined[better] ?? 0) - (left[better] ?? 0);
  return ahead;
}
