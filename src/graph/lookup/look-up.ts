// Looks up a record whose create was not answered: by $filter where Graph accepts it, otherwise in shared listings.
import type { DeviceRunState } from '../../domain/device-run-state.ts';
import type { Failure } from '../../domain/attempt/failure.ts';
import { matchingRecords } from '../../domain/attempt/matching-records.ts';
import { sameName } from '../../domain/attempt/text-agreement.ts';
import type { GraphClient, PageOfStates } from '../client.ts';
import { createFacts, type Facts } from './facts.ts';
import { createQueryOptions, isRefusal } from './query-options.ts';
import { concernsEveryone, createReaders, walk } from './reading.ts';
import type { Bounds, Gathering, PaceRead, Readers, Reading, Unread } from './reading.ts';

/**
 * The ids of the records that can be this run's, none where there is none. With `unread` that is not certain: not all was
 * read, and a later lookup goes on from there.
 */
export type Found = { kind: 'records'; ids: string[]; requestId: string | null; unread?: Unread };

/**
 * Ends, whatever Graph answers, and never throws for that. @throws the signal's reason where it aborts
 * @param from where an earlier lookup of the same run stopped
 */
export type LookUp = (state: DeviceRunState, signal: AbortSignal, from?: string | null) => Promise<Found | Failure>;

export type LookUpSettings = { facts?: Facts; bounds?: Bounds };

/** A lookup shares Graph's limit for requests of any kind with all others, so it reads so much and goes on later. */
const BOUNDS: Bounds = { pages: 50, timeoutMs: 60_000 };
/** A filter that could not be tried, since there was nothing to try it on, is tried again after this. */
const TRY_FILTER_EVERY_MS = 60_000;
/** What a filter finds under such a name says nothing about names with quotes, other scripts or signs in them. */
const USUAL_NAME = /^[\w .-]*$/;

/** Makes the look-up of one tenant. */
export function createLookUp(
  graph: Pick<GraphClient, 'list' | 'states'>,
  takeTurn: PaceRead,
  clock: () => number,
  { facts = createFacts(clock), bounds = BOUNDS }: LookUpSettings = {},
): LookUp {
  const options = createQueryOptions(facts);
  const groups = new Map<string, Group>();
  const pace: PaceRead = (signal) => unlessAborted(takeTurn(signal), signal);

  /** All addresses one run may be looked for at; a link that leads to one of them leads back to the start. */
  function addressesOf({ hardwareConfigurationId, deviceName }: DeviceRunState) {
    const plain = graph.states(hardwareConfigurationId);
    // Half a surrogate pair has no place in an address.
    const filter = `deviceName eq '${deviceName.toWellFormed().replaceAll("'", "''")}'`;
    return {
      filtered: `${plain}?$filter=${encodeURIComponent(filter)}`,
      ordered: `${plain}?$orderby=${encodeURIComponent('lastStateUpdateDateTime desc')}`,
      plain,
    };
  }

  /** What was called off says nothing about Graph. */
  async function list(url: string, signal: AbortSignal): Promise<PageOfStates | Failure> {
    const page = await graph.list(url, signal);
    signal.throwIfAborted();
    return page;
  }

  type Start = { first: PageOfStates; ordered?: boolean; onForeign?: () => void };

  function walkFrom(start: Start, readers: Readers, starts: string[]) {
    const { first, ordered = false, onForeign = () => undefined } = start;
    // Services that take an option and ignore it are read like those that refuse it.
    const onDisorder = () => facts.note('$orderby', false);
    return walk({ list, pace, bounds, readers, starts, first, ordered, onDisorder, onForeign });
  }

  function readAlone(state: DeviceRunState, start: Start, signal: AbortSignal): Promise<Reading> {
    const readers = createReaders();
    const reader = readers.add(state, signal);
    walkFrom(start, readers, Object.values(addressesOf(state))).catch(reader.fail);
    return reader.promise;
  }

  /** Resolves once the first page is there: whoever asks meanwhile reads together, and nobody waits for another's end. */
  async function readTogether(state: DeviceRunState, readers: Readers): Promise<void> {
    const failAll = (error: unknown) => readers.all.forEach((reader) => reader.fail(error));
    try {
      const { ordered, plain } = addressesOf(state);
      const mayOrder = facts.taken('$orderby') !== false;
      const newestFirst = await options.ask('$orderby', () => list(ordered, readers.signal));
      if (mayOrder && newestFirst === null) await pace(readers.signal);
      const first = newestFirst ?? (await list(plain, readers.signal));
      if (first.kind === 'page') {
        if (newestFirst === null) options.worksWithout('$orderby');
        walkFrom({ first, ordered: newestFirst !== null }, readers, [ordered, plain]).catch(failAll);
      } else {
        for (const reader of readers.all) reader.end({ unread: null, failure: first, requestId: null });
      }
    } catch (error) {
      failAll(error);
    }
  }

  function join(state: DeviceRunState, signal: AbortSignal): Promise<Reading> {
    const { hardwareConfigurationId } = state;
    const group: Group = groups.get(hardwareConfigurationId) ?? { gathering: null, started: Promise.resolve() };
    groups.set(hardwareConfigurationId, group);
    if (!group.gathering || group.gathering.signal.aborted) {
      const readers = (group.gathering = createReaders());
      group.started = group.started.then(() => {
        if (group.gathering === readers) group.gathering = null;
        return readers.all.size === 0 ? undefined : readTogether(state, readers);
      });
    }
    return group.gathering.add(state, signal).promise;
  }

  /** From where an earlier lookup stopped; null where that leads nowhere any more. */
  async function readOn(state: DeviceRunState, from: string, signal: AbortSignal): Promise<Reading | Failure | null> {
    const first = await list(from, signal);
    if (first.kind === 'page') return readAlone(state, { first }, signal);
    return concernsEveryone(first) ? first : null;
  }

  /** Null where the filter finds nothing, which may be all it ever does. */
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
    // Whoever ignores the filter lists everything.
    if (foreign.isSeen || reading.failure) return reading;
    if (reading.records.length > 0) {
      facts.note('$filter', true);
      return reading;
    }
    return (await isFilterTrusted(state, signal)) ? reading : null;
  }

  let trying: Promise<unknown> = Promise.resolve();
  let tryAgainAt = -Infinity;

  /** Whether a record the filter does not find is not there: only where it is known to find records that are. */
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

  /** Asks it for a record that is there. */
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
    const first = await options.ask('$filter', () => list(addressesOf(state).filtered, signal));
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

/** Those of one configuration who will read its listing together, and when the reading before got under way. */
type Group = { gathering: Gathering | null; started: Promise<void> };

/** A lookup that is refused tells nothing of the record, unless the configuration is gone or no listing is served. */
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
