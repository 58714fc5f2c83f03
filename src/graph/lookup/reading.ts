// Reads a listing page by page for one or more lookups at once; always ends, even if the links form a loop.
import type { DeviceRunState } from '../../domain/device-run-state.ts';
import type { Failure } from '../../domain/attempt/failure.ts';
import { parseInstant, parseRecordedInstant } from '../../domain/submission/instant.ts';
import type { RecordedState } from '../../domain/attempt/matching-records.ts';
import { sameName } from '../../domain/attempt/text-agreement.ts';
import type { PageOfStates } from '../client.ts';

/** Why a part of a listing was not read, and where a later lookup continues (null: from the start). */
export type Unread = { detail: string; next: string | null };

/** What one lookup gets: the records with its device's name, as far as the listing was read. */
export type Reading = {
  kind: 'reading';
  records: RecordedState[];
  /** Null if everything was read. */
  unread: Unread | null;
  /** Why reading stopped, if the cause is not a single page, see `concernsEveryone`. */
  failure: Failure | null;
  requestId: string | null;
};

/** How a reading ended, for each lookup that was still part of it. */
type Ending = Omit<Reading, 'kind' | 'records'>;

/** Waits for the permit to read a further page, which counts as a request like any other. */
export type PaceRead = (signal: AbortSignal) => Promise<unknown>;

export type Bounds = {
  /** Most pages of one reading; a later lookup continues where it stopped. */
  pages: number;
  timeoutMs: number;
};

/** A lookup as part of a reading. It leaves once: with the result, with an error, or because its own signal aborts. */
export type Reader = {
  state: DeviceRunState;
  records: RecordedState[];
  promise: Promise<Reading>;
  end: (ending: Ending) => void;
  fail: (error: unknown) => void;
};

/** The lookups that are still part of a reading; `signal` aborts it once none is left. */
export type Readers = { all: Set<Reader>; signal: AbortSignal };

/** Readers, while further lookups can still join them. */
export type Gathering = Readers & { add: (state: DeviceRunState, signal: AbortSignal) => Reader };

/**
 * After this many pages without a new record the listing counts as read to its end, because its links may form a circle
 * or change for ever. More empty pages are allowed than repeated ones: services that filter while paging return them.
 */
const REPEATED_PAGES = 5;
const EMPTY_PAGES = 25;

export function createReaders(): Gathering {
  const all = new Set<Reader>();
  const calledOff = new AbortController();
  return {
    all,
    signal: calledOff.signal,
    add: (state, signal) => {
      const { promise, resolve, reject } = Promise.withResolvers<Reading>();
      const leave = () => {
        all.delete(reader);
        signal.removeEventListener('abort', onAbort);
        if (all.size === 0) calledOff.abort();
      };
      const reader: Reader = {
        state,
        records: [],
        promise,
        end: (reading) => {
          leave();
          resolve({ kind: 'reading', records: reader.records, ...reading });
        },
        fail: (error) => {
          leave();
          reject(error);
        },
      };
      const onAbort = () => reader.fail(signal.reason);
      all.add(reader);
      signal.addEventListener('abort', onAbort);
      if (signal.aborted) onAbort();
      return reader;
    },
  };
}

export type Walk = {
  list: (url: string, signal: AbortSignal) => Promise<PageOfStates | Failure>;
  pace: PaceRead;
  bounds: Bounds;
  readers: Readers;
  /** URLs of the listing's first page; a link to one of them leads back to the start. */
  starts: readonly string[];
  first: PageOfStates;
  /** Whether the listing was requested with the newest records first. */
  ordered: boolean;
  /** Called if it was requested so, but turns out not to be in that order. */
  onDisorder: () => void;
  /** Called if a page has a record with the name of a different device. */
  onForeign: () => void;
};

/** Reads on from a first page until all readers have what they need, the listing ends, or a bound is reached. */
export async function walk(parts: Walk): Promise<void> {
  const ending = await follow(parts);
  for (const reader of parts.readers.all) reader.end(ending);
}

/** Reads the pages, and ends each reader that needs no more of them. @returns the ending for the remaining ones */
async function follow({ list, pace, bounds, readers, starts, first, ordered, ...events }: Walk): Promise<Ending> {
  const links = new Set(starts);
  const runsNewestFirst = createOrder();
  const news = createNews();
  const leaving = AbortSignal.any([readers.signal, AbortSignal.timeout(bounds.timeoutMs)]);
  let page = first;
  let missing: Unread | null = null;
  const ending = (unread: Unread | null, failure: Failure | null = null): Ending => ({
    unread,
    failure,
    requestId: page.requestId,
  });
  for (let pages = 1; ; pages++) {
    if (page.unread !== null) missing ??= { detail: page.unread, next: null };
    const { fresh, goesOn } = news(page.records);
    const isOrdered = runsNewestFirst(page.records);
    if (ordered && isOrdered === false) events.onDisorder();
    for (const reader of readers.all) {
      const { deviceName } = reader.state;
      reader.records.push(...fresh.filter((record) => sameName(record.deviceName, deviceName)));
      if (page.records.some((record) => !!record.deviceName && !sameName(record.deviceName, deviceName))) {
        events.onForeign();
      }
      if (ordered && isOrdered && isPast(page.records, reader.state)) {
        reader.end(ending(missing));
      }
    }
    const { next } = page;
    if (next === null || links.has(next) || !goesOn) return ending(missing);
    if (pages === bounds.pages) return ending(tooLong(pages, next));
    links.add(next);
    try {
      await pace(leaving);
    } catch (error) {
      if (!leaving.aborted) throw error;
      return ending(tooLong(pages, next));
    }
    const read = await list(next, readers.signal);
    if (read.kind === 'page') page = read;
    else if (concernsEveryone(read)) return ending(null, read);
    else return ending({ detail: `page ${pages + 1}: ${read.detail}`, next });
  }
}

/**
 * Whether a failure to read a further page concerns all requests rather than that page alone. The kinds excluded here
 * concern the page, since an earlier one arrived and Graph can be reached. A route that is not served is one of them:
 * the first page shows that the listing is served, so only the link is at fault.
 */
export function concernsEveryone({ kind }: Failure): boolean {
  return kind !== 'uncertain' && kind !== 'rejected' && kind !== 'conflict' && kind !== 'route-not-served';
}

const tooLong = (pages: number, next: string): Unread => ({
  detail: `the listing goes on after ${pages} pages`,
  next,
});

/** Determines the records of a page that no earlier page had, and whether to read on. */
function createNews(): (records: RecordedState[]) => { fresh: RecordedState[]; goesOn: boolean } {
  const known = new Set<string>();
  let [repeated, empty] = [0, 0];
  return (records) => {
    const fresh = records.filter((record) => {
      const before = known.size;
      return known.add(record.id ?? JSON.stringify(record)).size > before;
    });
    if (fresh.length > 0) [repeated, empty] = [0, 0];
    else if (records.length > 0) repeated += 1;
    else empty += 1;
    return { fresh, goesOn: repeated < REPEATED_PAGES && empty < EMPTY_PAGES };
  };
}

/** Determines after each page whether all records so far came newest first; null until two of them differ in time. */
function createOrder(): (records: RecordedState[]) => boolean | null {
  let last: bigint | null = null;
  let isDescending: boolean | null = null;
  return (records) => {
    for (const record of records) {
      const ticks = ticksOf(record);
      if (ticks === null) continue;
      if (last !== null && ticks !== last) isDescending = isDescending !== false && ticks < last;
      last = ticks;
    }
    return isDescending;
  };
}

const HOUR_IN_TICKS = 36_000_000_000n;

/**
 * Whether all records on a page are older than the run's, by more than a margin for records of lower precision. If the
 * newest come first, so are all on later pages.
 */
function isPast(records: RecordedState[], { lastStateUpdateDateTime }: DeviceRunState): boolean {
  const until = (parseInstant(lastStateUpdateDateTime)?.ticks ?? 0n) - HOUR_IN_TICKS;
  const ticks = records.map(ticksOf);
  return ticks.length > 0 && ticks.every((each) => each !== null && each < until);
}

const ticksOf = (record: RecordedState): bigint | null =>
  parseRecordedInstant(record.lastStateUpdateDateTime ?? '')?.ticks ?? null;
