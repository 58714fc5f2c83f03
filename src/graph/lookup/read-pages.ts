// Reads a listing page by page for one or more lookups at once; always ends, even if the links form a loop.
import type { DeviceRunState } from '../../domain/device-run-state.ts';
import type { Failure } from '../../domain/attempt/failure.ts';
import { parseInstant, parseRecordedInstant } from '../../domain/submission/instant.ts';
import type { RecordedState } from '../../domain/attempt/matching-records.ts';
import { sameName } from '../../domain/attempt/text-agreement.ts';
import type { PageOfStates } from '../client.ts';
import type { Ending, Readers, Unread } from './readers.ts';

/** Waits for the permit to read a further page, which counts as a request like any other. */
export type PaceRead = (signal: AbortSignal) => Promise<unknown>;

export type Bounds = {
  /** Most pages of one reading; a later lookup continues where it stopped. */
  pages: number;
  timeoutMs: number;
};

/**
 * After this many pages without a new record the listing counts as read to its end, because its links may form a circle
 * or change for ever. More empty pages are allowed than repeated ones: services that filter while paging return them.
 */
const REPEATED_PAGES = 5;
const EMPTY_PAGES = 25;

export type ReadPagesOptions = {
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
export async function readPages(options: ReadPagesOptions): Promise<void> {
  const ending = await readToEnding(options);
  for (const reader of options.readers.all) reader.end(ending);
}

/** Reads the pages, and ends each reader that needs no more of them. @returns the ending for the remaining ones */
async function readToEnding(options: ReadPagesOptions): Promise<Ending> {
  const { list, pace, bounds, readers, starts, first, ordered, ...events } = options;
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
