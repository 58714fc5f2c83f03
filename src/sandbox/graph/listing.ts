// One page of a configuration's run states: order, filter, and a next link that stays valid when records are added.
import { parseFilter, satisfies } from './filter.ts';
import type { Conditions } from './filter.ts';
import type { Order, RunStateStore, StoredRunState } from './run-state-store.ts';
import { firstIndexWhere } from './sorted.ts';

/** Whether `$filter` works; otherwise the status of its refusal, or that it is accepted but finds nothing. */
export type FilterSupport = 'yes' | '400' | '500' | '501' | 'finds-nothing';

export type ListSettings = { pageSize: number; filterSupport: FilterSupport; visibleUntilMs: number };

export type Listing =
  | { kind: 'page'; states: StoredRunState[]; skipToken: string | undefined }
  | { kind: 'refused'; status: 400 | 500 | 501; message: string };

type Position = { sequence: number; instantTicks: bigint };
type Query = { order: Order; conditions: Conditions; after: Position | undefined; size: number };

const newestFirst = /^lastStateUpdateDateTime desc$/i;
const statusOf = { 400: 400, 500: 500, 501: 501 } as const;
const known = new Set(['$top', '$orderby', '$filter', '$skiptoken']);

type ListRequest = {
  store: RunStateStore;
  configurationId: string;
  parameters: URLSearchParams;
  settings: ListSettings;
};

/** The page for a query. `$top` is the page size, as in most of Graph; the default order is oldest first. */
export function listPage({ store, configurationId, parameters, settings }: ListRequest): Listing {
  const query = parseQuery(parameters, settings);
  if ('kind' in query) return query;
  const { order, conditions, size } = query;
  const isFiltered = parameters.has('$filter');
  if (isFiltered && settings.filterSupport === 'finds-nothing')
    return { kind: 'page', states: [], skipToken: undefined };
  const candidates =
    typeof conditions.deviceName === 'string'
      ? store.ofDevice(configurationId, conditions.deviceName, order)
      : store.inOrder(configurationId, order);
  const states: StoredRunState[] = [];
  for (const state of statesAfter(query.after, candidates, order)) {
    if (state.createdAtMs > settings.visibleUntilMs || !satisfies(state.members, conditions)) continue;
    if (states.length === size) return { kind: 'page', states, skipToken: toSkipToken(states.at(-1)) };
    states.push(state);
  }
  return { kind: 'page', states, skipToken: undefined };
}

function parseQuery(
  parameters: URLSearchParams,
  settings: ListSettings,
): Query | Extract<Listing, { kind: 'refused' }> {
  const unknown = [...parameters.keys()].find((name) => !known.has(name));
  if (unknown !== undefined) return refused(400, `The query specified in the URI is not valid: '${unknown}'.`);

  const top = parameters.get('$top');
  if (top !== null && !/^[1-9]\d{0,8}$/.test(top)) return refused(400, `Invalid value for $top: '${top}'.`);

  const orderBy = parameters.get('$orderby');
  if (orderBy !== null && !newestFirst.test(orderBy)) return refused(400, `Ordering by '${orderBy}' is not supported.`);

  const skipToken = parameters.get('$skiptoken');
  const after = skipToken === null ? undefined : parseSkipToken(skipToken);
  if (skipToken !== null && after === undefined) return refused(400, 'The skip token is not valid.');

  const filter = parameters.get('$filter');
  const { filterSupport } = settings;
  if (filter !== null && filterSupport !== 'yes' && filterSupport !== 'finds-nothing') {
    return refused(statusOf[filterSupport], 'Filtering is not supported on this collection.');
  }
  const parsed = parseFilter(filter ?? '');
  if (parsed.kind === 'refused') return refused(400, parsed.message);

  const size = Math.min(top === null ? settings.pageSize : Number(top), settings.pageSize);
  return { order: orderBy === null ? 'created' : 'instant', conditions: parsed.conditions, after, size };
}

function* statesAfter(after: Position | undefined, ascending: readonly StoredRunState[], order: Order) {
  if (order === 'created') {
    const start = after === undefined ? 0 : firstIndexWhere(ascending, (state) => state.sequence > after.sequence);
    for (let index = start; index < ascending.length; index += 1) yield ascending[index] as StoredRunState;
  } else {
    const start = after === undefined ? ascending.length : firstIndexWhere(ascending, (state) => isFrom(after, state));
    for (let index = start - 1; index >= 0; index -= 1) yield ascending[index] as StoredRunState;
  }
}

function isFrom(position: Position, state: StoredRunState): boolean {
  if (state.instantTicks !== position.instantTicks) return state.instantTicks > position.instantTicks;
  return state.sequence >= position.sequence;
}

function toSkipToken(last: StoredRunState | undefined): string | undefined {
  if (last === undefined) return undefined;
  return Buffer.from(`${last.sequence}.${last.instantTicks}`).toString('base64url');
}

function parseSkipToken(token: string): Position | undefined {
  const match = /^(\d{1,15})\.(-?\d{1,20})$/.exec(Buffer.from(token, 'base64url').toString());
  return match === null ? undefined : { sequence: Number(match[1]), instantTicks: BigInt(match[2] ?? '0') };
}

function refused(status: 400 | 500 | 501, message: string) {
  return { kind: 'refused', status, message } as const;
}
