// Looks up a record whose create was not answered: by $filter where Graph accepts it, otherwise in shared listings.
import type { DeviceRunState } from '../../domain/device-run-state.ts';
import type { Failure } from '../../domain/attempt/failure.ts';
import { matchingRecords } from '../../domain/attempt/matching-records.ts';
import { sameName } from '../../domain/attempt/text-agreement.ts';
import type { GraphClient, PageOfStates } from '../client.ts';
import { createQueryOptionFacts, type QueryOptionFacts } from './query-option-facts.ts';
import { createQueryOptions, isRefusal } from './query-options.ts';
import { concernsEveryone, readPages, type Bounds, type PaceRead } from './read-pages.ts';
import { createReaders, type JoinableReaders, type Readers, type Reading, type Unread } from './readers.ts';

/**
 * The ids of the records that may be this run's; empty if there are none. With `unread` the result is not certain: the
 * listing was not read completely, and a later lookup continues from there.
 */
export type Found = { kind: 'records'; ids: string[]; requestId: string | null; unread?: Unread };

/**
 * Always ends, and does not throw for any response of Graph. @throws the signal's reason if it aborts
 * @param from where an earlier lookup of the same run stopped
 */
export type LookUp = (state: DeviceRunState, signal: AbortSignal, from?: string | null) => Promise<Found | Failure>;

/** Lookups share Graph's limit on all requests, so each reads only this much and continues later. */
const BOUNDS: Bounds = { pages: 50, timeoutMs: 60_000 };
/** If the filter could not be tested because there were no records yet, it is tested again after this time. */
const TRY_FILTER_EVERY_MS = 60_000;
/** Results for such names prove nothing about names with quotes, other scripts or symbols. */
const USUAL_NAME = /^[\w .-]*$/;

type LookUpParts = {
  graph: Pick<GraphClient, 'list' | 'states'>;
  takeTurn: PaceRead;
  clock: () => number;
  facts?: QueryOptionFacts;
  bounds?: Bounds;
};

/** Creates the lookup of one tenant. */
export function createLookUp({
  graph,
  takeTurn,
  clock,
  facts = createQueryOptionFacts(clock),
  bounds = BOUNDS,
}: LookUpParts): LookUp {
  const options = createQueryOptions(facts);
  const groups = new Map<string, Group>();
  const pace: PaceRead = (signal) => unlessAborted(takeTurn(signal), signal);

  /** All URLs a run may be looked up at; a next link to one of them leads back to the start. */
  function addressesOf({ hardwareConfigurationId, deviceName }: DeviceRunState) {
    const plain = graph.states(hardwareConfigurationId);
    // A lone surrogate cannot be part of a URL.
    const filter = `deviceName eq '${deviceName.toWellFormed().replaceAll("'", "''")}'`;
    return {
      filtered: `${plain}?$filter=${encodeURIComponent(filter)}`,
      ordered: `${plain}?$orderby=${encodeURIComponent('lastStateUpdateDateTime desc')}`,
      plain,
    };
  }

  /** An aborted request says nothing about Graph. */
  async function list(url: string, signal: AbortSignal): Promise<PageOfStates | Failure> {
    const page = await graph.list(url, signal);
    signal.throwIfAborted();
    return page;
  }

  type Start = { first: PageOfStates; ordered?: boolean; onForeign?: () => void };

  function readPagesFrom(start: Start, readers: Readers, starts: string[]) {
    const { first, ordered = false, onForeign = () => undefined } = start;
    // Services that accept an option but ignore it are treated like those that refuse it.
    const onDisorder = () => facts.note('$orderby', false);
    return readPages({ list, pace, bounds, readers, starts, first, ordered, onDisorder, onForeign });
  }

  function readAlone(state: DeviceRunState, start: Start, signal: AbortSignal): Promise<Reading> {
    const readers = createReaders();
    const reader = readers.add(state, signal);
    readPagesFrom(start, readers, Object.values(addressesOf(state))).catch(reader.fail);
    return reader.promise;
  }

  /** Resolves once the first page has arrived: lookups that come until then share the reading, and none waits for its end. */
  async function readTogether(state: DeviceRunState, readers: Readers): Promise<void> {
    const failAll = (error: unknown) => readers.all.forEach((reader) => reader.fail(error));
    try {
      const { ordered, plain } = addressesOf(state);
      const mayOrder = facts.taken('$orderby') !== false;
      const newestFirst = await options.listWith('$orderby', () => list(ordered, readers.signal));
      if (mayOrder && newestFirst === null) await pace(readers.signal);
      const first = newestFirst ?? (await list(plain, readers.signal));
      if (first.kind === 'page') {
        if (newestFirst === null) options.worksWithout('$orderby');
        readPagesFrom({ first, ordered: newestFirst !== null }, readers, [ordered, plain]).catch(failAll);
      } else {
        for (const reader of readers.all) reader.end({ unread: null, failure: first, requestId: null });
      }
    } catch (error) {
      failAll(error);
    }
  }

  function join(state: DeviceRunState, signal: AbortSignal): Promise<Reading> {
    const { hardwareConfigurationId } = state;
    const group: Group = groups.get(hardwareConfigurationId) ?? { joinable: null, started: Promise.resolve() };
    groups.set(hardwareConfigurationId, group);
    if (!group.joinable || group.joinable.signal.aborted) {
      const readers = (group.joinable = createReaders());
      group.started = group.started.then(() => {
        if (group.joinable === readers) group.joinable = null;
        return readers.all.size === 0 ? undefined : readTogether(state, readers);
      });
    }
    return group.joinable.add(state, signal).promise;
  }

  /** Continues where an earlier lookup stopped; null if that link no longer works. */
  async function readOn(state: DeviceRunState, from: string, signal: AbortSignal): Promise<Reading | Failure | null> {
    const first = await list(from, signal);
    if (first.kind === 'page') return readAlone(state, { first }, signal);
    return concernsEveryone(first) ? first : null;
  }

  /** Null if the filter finds nothing and is not known to work. */
  async function readFiltered(
    state: DeviceRunState,
    first: PageOfStates,
    signal: AbortSignal,
  ): Promise<Reading | null> {
    const foreign = { isSeen: false };
    const onForeign = () => {
      foreign.isSeen = true;
      facts.note('$filter', false);
    };
    const reading = await readAlone(state, { first, onForeign }, signal);
    // A service that ignores the filter lists everything.
    if (foreign.isSeen || reading.failure) return reading;
    if (reading.records.length > 0) {
      facts.note('$filter', true);
      return reading;
    }
    return (await isFilterTrusted(state, signal)) ? reading : null;
  }

  let trying: Promise<unknown> = Promise.resolve();
  let tryAgainAt = -Infinity;

  /** Whether a record missing from filtered results really does not exist: only if the filter is known to find existing ones. */
  async function isFilterTrusted(state: DeviceRunState, signal: AbortSignal): Promise<boolean> {
    if (!USUAL_NAME.test(state.deviceName)) return false;
    const tried = trying.then(async () => {
      if (facts.taken('$filter') !== null || clock() < tryAgainAt) return;
      tryAgainAt = clock() + TRY_FILTER_EVERY_MS;
      await tryFilter(state, signal);
    });
    trying = tried.catch(() => undefined);
    await unlessAborted(tried, signal);
    return facts.taken('$filter') === true;
  }

  /** Tests the filter with a record that exists. */
  async function tryFilter(state: DeviceRunState, signal: AbortSignal): Promise<void> {
    await pace(signal);
    const page = await list(addressesOf(state).plain, signal);
    const known = page.kind === 'page' && page.records.find(({ deviceName }) => deviceName)?.deviceName;
    if (!known) return;
    await pace(signal);
    const answer = await list(addressesOf({ ...state, deviceName: known }).filtered, signal);
    if (answer.kind !== 'page') return;
    const isFound = answer.records.some(({ deviceName }) => sameName(deviceName, known));
    const isForeign = answer.records.some(({ deviceName }) => !!deviceName && !sameName(deviceName, known));
    if (isFound || answer.next === null) facts.note('$filter', isFound && !isForeign);
  }

  async function readFromStart(state: DeviceRunState, signal: AbortSignal): Promise<Reading | Failure> {
    const mayFilter = facts.taken('$filter') !== false;
    const first = await options.listWith('$filter', () => list(addressesOf(state).filtered, signal));
    if (first && first.kind !== 'page') return first;
    const filtered = first && (await readFiltered(state, first, signal));
    if (filtered) return filtered;
    if (mayFilter) await pace(signal);
    const reading = await join(state, signal);
    if (reading.failure === null) options.worksWithout('$filter');
    return reading;
  }

  return async (state, signal, from = null) => {
    const continued = from === null ? null : await readOn(state, from, signal);
    if (from !== null && continued === null) await pace(signal);
    const reading = continued ?? (await readFromStart(state, signal));
    if (reading.kind !== 'reading') return asLookUpFailure(reading);
    const { unread, failure, requestId } = reading;
    const ids = matchingRecords(state, reading.records);
    if (ids.length === 0 && failure) return asLookUpFailure(failure);
    const rest = failure ? { detail: failure.detail, next: null } : unread;
    return { kind: 'records', ids, requestId, ...(rest && { unread: rest }) };
  };
}

/** Lookups of one configuration that will share a reading, and when the previous reading has started. */
type Group = { joinable: JoinableReaders | null; started: Promise<void> };

/** A refused lookup says nothing about the record, unless the configuration is gone or listings are not served. */
function asLookUpFailure(failure: Failure): Failure {
  return isRefusal(failure) && failure.kind !== 'route-not-served'
    ? { kind: 'uncertain', detail: failure.detail, graph: failure.graph }
    : failure;
}

async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  work.catch(() => undefined);
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason as Error);
  signal.addEventListener('abort', onAbort);
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
