// Looking in Graph for a record whose create was never answered: by $filter where Graph takes it, else one listing for all who ask.
import type { DeviceRunState } from '../domain/device-run-state.ts';
import { matchingRecords } from '../domain/matching-records.ts';
import type { Failure } from '../domain/failure.ts';
import { parseInstant } from '../domain/instant.ts';
import type { GraphClient } from './client.ts';
import type { HardwareConfigurationDeviceState } from './wire.ts';

/** The ids of the records that can be this run's, none where there is none. */
export type Found = { kind: 'records'; ids: string[]; requestId: string | null };

export type LookUp = (state: DeviceRunState, signal: AbortSignal) => Promise<Found | Failure>;

/** A further page is a request like any other and waits its turn. */
export type PaceRead = (signal: AbortSignal) => Promise<unknown>;

/** A listing longer than this tells nothing about what is behind it. */
const MAX_PAGES = 2000;
/** Query options Graph refused are not tried again for so long. */
const REFUSAL_REMEMBERED_MS = 3_600_000;

type Listing = { kind: 'listed'; records: HardwareConfigurationDeviceState[]; requestId: string | null };
type Read = {
  url: string;
  keep: (record: HardwareConfigurationDeviceState) => boolean;
  until: bigint | null;
  signal: AbortSignal;
};

/** Makes the look-up of one tenant. */
export function createLookUp(graph: GraphClient, pace: PaceRead, clock: () => number): LookUp {
  const refusedAt = new Map<string, number>();
  const sharedListings = new Map<string, SharedListing>();

  const refuses = (option: string) => clock() - (refusedAt.get(option) ?? -Infinity) < REFUSAL_REMEMBERED_MS;

  /** Reads with a query option unless Graph is known to refuse it; null where it does. */
  async function readWith(option: string, read: Read): Promise<Listing | Failure | null> {
    if (refuses(option)) return null;
    const listing = await readAll(read);
    const refused = listing.kind === 'rejected' && (listing.status === 400 || listing.status === 501);
    if (refused) refusedAt.set(option, clock());
    return refused ? null : listing;
  }

  async function readAll({ url, keep, until, signal }: Read): Promise<Listing | Failure> {
    const records: HardwareConfigurationDeviceState[] = [];
    let next: string | null = url;
    let requestId: string | null = null;
    for (let pages = 0; next !== null; pages++) {
      if (pages === MAX_PAGES) {
        return { kind: 'uncertain', detail: `the record was not found on the first ${MAX_PAGES} pages`, graph: null };
      }
      if (pages > 0) await pace(signal);
      const page = await graph.list(next, signal);
      if (page.kind !== 'page') return page;
      records.push(...page.records.filter(keep));
      requestId = page.requestId;
      next = until !== null && isPast(page.records, until) ? null : page.next;
    }
    return { kind: 'listed', records, requestId };
  }

  /** A listing that begins after somebody asked answers everybody who asked before it began. */
  function readShared(state: DeviceRunState): Promise<Listing | Failure> {
    const { hardwareConfigurationId } = state;
    let shared = sharedListings.get(hardwareConfigurationId);
    if (!shared) {
      shared = createSharedListing((states) => readNewestFirst(hardwareConfigurationId, states));
      sharedListings.set(hardwareConfigurationId, shared);
    }
    return shared(state);
  }

  async function readNewestFirst(
    hardwareConfigurationId: string,
    states: DeviceRunState[],
  ): Promise<Listing | Failure> {
    const url = graph.states(hardwareConfigurationId);
    const names = new Set(states.map((state) => state.deviceName));
    const keep = (record: HardwareConfigurationDeviceState) => names.has(record.deviceName ?? '');
    // Nobody owns a shared listing, so nobody's lost lock may cut it short.
    const { signal } = new AbortController();
    const ordered = `${url}?$orderby=${encodeURIComponent('lastStateUpdateDateTime desc')}`;
    return (
      (await readWith('$orderby', { url: ordered, keep, until: oldest(states), signal })) ??
      readAll({ url, keep, until: null, signal })
    );
  }

  return async (state, signal) => {
    // Half a surrogate pair has no place in an address.
    const filter = `deviceName eq '${state.deviceName.toWellFormed().replaceAll("'", "''")}'`;
    const url = `${graph.states(state.hardwareConfigurationId)}?$filter=${encodeURIComponent(filter)}`;
    const isOurs = (record: HardwareConfigurationDeviceState) => {
      // A service that takes the option and ignores it gives every record to everyone who looks.
      if (record.deviceName !== state.deviceName) refusedAt.set('$filter', clock());
      return record.deviceName === state.deviceName;
    };
    const listing =
      (await readWith('$filter', { url, keep: isOurs, until: null, signal })) ?? (await readShared(state));
    if (listing.kind !== 'listed') return listing;
    return { kind: 'records', ids: matchingRecords(state, listing.records), requestId: listing.requestId };
  };
}

type SharedListing = (state: DeviceRunState) => Promise<Listing | Failure>;

function createSharedListing(read: (states: DeviceRunState[]) => Promise<Listing | Failure>): SharedListing {
  let running: Promise<unknown> = Promise.resolve();
  let asking: { states: DeviceRunState[]; answer: Promise<Listing | Failure> } | null = null;
  return (state) => {
    if (asking) {
      asking.states.push(state);
      return asking.answer;
    }
    const states = [state];
    const answer = running.then(() => {
      asking = null;
      return read(states);
    });
    running = answer.catch(() => undefined);
    asking = { states, answer };
    return answer;
  };
}

const HOUR_IN_TICKS = 36_000_000_000n;

/** The oldest instant looked for, with room for records that say less than the device did. */
function oldest(states: DeviceRunState[]): bigint | null {
  const ticks = states.map((state) => parseInstant(state.lastStateUpdateDateTime)?.ticks ?? 0n);
  return ticks.reduce((a, b) => (a < b ? a : b)) - HOUR_IN_TICKS;
}

/** Whether everything on a page, and so everything behind it, is older; only where the page really runs newest first. */
function isPast(records: HardwareConfigurationDeviceState[], until: bigint): boolean {
  const ticks = records.map((record) => parseInstant(record.lastStateUpdateDateTime ?? '')?.ticks ?? null);
  return (
    ticks.length > 0 &&
    ticks.every((tick, index) => tick !== null && tick < until && tick <= (ticks[index - 1] ?? tick))
  );
}
