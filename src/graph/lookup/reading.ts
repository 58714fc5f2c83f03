// Reads a listing page by page for one or more lookups: bounded, and safe against loops.
import type { DeviceRunState } from '../../domain/device-run-state.ts';
import type { Failure } from '../../domain/attempt/failure.ts';
import { parseInstant, parseRecordedInstant } from '../../domain/submission/instant.ts';
import type { RecordedState } from '../../domain/attempt/matching-records.ts';
import { sameName } from '../../domain/attempt/text-agreement.ts';
import type { PageOfStates } from '../client.ts';

/** The unread part of a listing: why, and where a later lookup continues (null: from the start). */
export type Unread = { detail: string; next: string | null };

/** The records of the device in question, as far as the listing was read. */
export type Reading = {
  kind: 'reading';
  records: RecordedState[];
  /** Null if everything was read. */
  unread: Unread | null;
  /** Why it stopped, if the reason concerns all readers. */
  failure: Failure | null;
  requestId: string | null;
};

type Ending = Omit<Reading, 'kind' | 'records'>;

/** Waits for a turn: further pages are requests like any other. */
export type PaceRead = (signal: AbortSignal) => Promise<unknown>;

export type Bounds = {
  /** Per reading; a later one continues where it stopped. */
  pages: number;
  timeoutMs: number;
};

/** A lookup that takes part in a reading; ended once, by the reading, a failure or its own signal. */
export type Reader = {
  state: DeviceRunState;
  records: RecordedState[];
  promise: Promise<Reading>;
  end: (ending: Ending) => void;
  fail: (error: unknown) => void;
};

/** The readers of one reading; it is aborted once none is left. */
export type Readers = { all: Set<Reader>; signal: AbortSignal };

export type Gathering = Readers & { add: (state: DeviceRunState, signal: AbortSignal) => Reader };

/**
 * How many pages without new records end a listing, against links that change for ever or form a circle. More empty pages
 * are allowed, since services that filter while paging return such pages.
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
  /** URLs that lead back to the start. */
  starts: readonly string[];
  first: PageOfStates;
  /** Whether the newest records were requested first. */
  ordered: boolean;
  /** Called if a supposedly ordered listing turns out not to be. */
  onDisorder: () => void;
  /** Called for a record of a different device. */
  onForeign: () => void;
};

/** Reads on from a first page until all readers have what they need, or nothing is left to read. */
export async function walk(parts: Walk): Promise<void> {
  const ending = await follow(parts);
  for (const reader of parts.readers.all) reader.end(ending);
}

/** Ends readers as soon as they need no more pages. @returns the ending for the remaining ones */
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
 * Otherwise the failure concerns a single page: access to Graph works, as the previous page arrived. This includes a link
 * whose route is not served; whether the listing itself is served shows with its first page.
 */
export function concernsEveryone({ kind }: Failure): boolean {
  return kind !== 'uncertain' && kind !== 'rejected' && kind !== 'conflict' && kind !== 'route-not-served';
}

const tooLong = (pages: number, next: string): Unread => ({
  detail: `the listing goes on after ${pages} pages`,
  next,
});

/** Determines a page's new records, and whether it is worth reading on. */
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

/** Determines after each page whether the listing runs newest first so far; null if too little is known. */
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

/** Whether all records on a page, and so all later ones, are older, with a margin for records of lower precision. */
function isPast(records: RecordedState[], { lastStateUpdateDateTime }: DeviceRunState): boolean {
  const until = (parseInstant(lastStateUpdateDateTime)?.ticks ?? 0n) - HOUR_IN_TICKS;
  const ticks = records.map(ticksOf);
  return ticks.length > 0 && ticks.every((each) => each !== null && each < until);
}

const ticksOf = (record: RecordedState): bigint | null =>
  parseRecordedInstant(record.lastStateUpdateDateTime ?? '')?.ticks ?? null;
