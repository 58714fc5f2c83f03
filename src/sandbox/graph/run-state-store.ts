// Stored run states, indexed for listing, lookup by device and duplicate detection.
import { createHash } from 'node:crypto';

import type { HardwareConfigurationDeviceState } from '../../graph/wire.ts';
import { insertSorted, removeSorted } from './sorted.ts';
import type { Compare } from './sorted.ts';

/** A stored run state with all members, as Graph returns it. */
export type RunStateMembers = Required<HardwareConfigurationDeviceState>;

/** A stored run state with internal data: when and in which order it arrived, and its instant in ticks. */
export type StoredRunState = {
  configurationId: string;
  createdAtMs: number;
  sequence: number;
  instantTicks: bigint;
  /** How many characters of longer texts are shown; null shows all. */
  longestText: number | null;
  members: RunStateMembers;
};

export type RunStateStore = ReturnType<typeof createRunStateStore>;

/** The orders for listing a configuration: by arrival, or by the instant the device reported. */
export type Order = 'created' | 'instant';

type Shelf = Record<Order, StoredRunState[]> & { byDevice: Map<string, StoredRunState[]> };

const compareBy: Record<Order, Compare<StoredRunState>> = {
  created: (a, b) => a.sequence - b.sequence,
  instant: (a, b) =>
    a.instantTicks === b.instantTicks ? a.sequence - b.sequence : a.instantTicks < b.instantTicks ? -1 : 1,
};

/** An empty store. Adding and finding by id or device do not slow down as it fills. */
export function createRunStateStore() {
  const byId = new Map<string, StoredRunState>();
  const shelves = new Map<string, Shelf>();
  const byContent = new Map<string, Set<string>>();

  function add(state: StoredRunState): void {
    byId.set(state.members.id, state);
    const shelf: Shelf = shelves.get(state.configurationId) ?? { created: [], instant: [], byDevice: new Map() };
    shelves.set(state.configurationId, shelf);
    const deviceName = state.members.deviceName ?? '';
    const ofDevice: StoredRunState[] = shelf.byDevice.get(deviceName) ?? [];
    shelf.byDevice.set(deviceName, ofDevice);
    insertSorted(shelf.created, state, compareBy.created);
    insertSorted(shelf.instant, state, compareBy.instant);
    insertSorted(ofDevice, state, compareBy.created);
    const content = contentKey(state);
    byContent.set(content, (byContent.get(content) ?? new Set()).add(state.members.id));
  }

  function remove(state: StoredRunState): void {
    byId.delete(state.members.id);
    const shelf = shelves.get(state.configurationId);
    if (shelf === undefined) return;
    removeSorted(shelf.created, state, compareBy.created);
    removeSorted(shelf.instant, state, compareBy.instant);
    removeSorted(shelf.byDevice.get(state.members.deviceName ?? '') ?? [], state, compareBy.created);
    const sameContent = byContent.get(contentKey(state));
    sameContent?.delete(state.members.id);
    if (sameContent?.size === 0) byContent.delete(contentKey(state));
  }

  return {
    add,
    remove,
    find: (configurationId: string, id: string): StoredRunState | undefined => {
      const found = byId.get(id);
      return found?.configurationId === configurationId ? found : undefined;
    },
    /** In ascending order; must not be modified by the caller. */
    inOrder: (configurationId: string, order: Order): readonly StoredRunState[] =>
      shelves.get(configurationId)?.[order] ?? [],
    ofDevice: (configurationId: string, deviceName: string, order: Order): readonly StoredRunState[] =>
      (shelves.get(configurationId)?.byDevice.get(deviceName) ?? []).toSorted(compareBy[order]),
    all: (): StoredRunState[] => [...byId.values()].sort(compareBy.created),
    /** Groups of two or more with equal content in one configuration. */
    duplicates: (): StoredRunState[][] =>
      [...byContent.values()].filter((ids) => ids.size > 1).map((ids) => [...ids].flatMap((id) => byId.get(id) ?? [])),
    /** The number of redundant records: for each group, all but one. */
    duplicateCount: (): number => byId.size - byContent.size,
    size: (): number => byId.size,
    clear: (): void => [byId, shelves, byContent].forEach((index) => index.clear()),
  };
}

function contentKey({ configurationId, instantTicks, members }: StoredRunState): string {
  const { deviceName, osVersion, upn, internalVersion, configurationState, configurationOutput, configurationError } =
    members;
  const said = [
    deviceName,
    osVersion,
    upn,
    internalVersion,
    configurationState,
    configurationOutput,
    configurationError,
  ];
  const text = JSON.stringify([configurationId, instantTicks.toString(), ...said]);
  return createHash('sha256').update(text).digest('base64');
}
