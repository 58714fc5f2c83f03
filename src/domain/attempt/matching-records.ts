// Finds the records in Graph that can only belong to a given run: which members are compared, and how strictly.
import type { DeviceRunState } from '../device-run-state.ts';
import { compareInstants } from '../submission/instant.ts';
import { compareTexts, sameName } from './text-agreement.ts';

/** A record as Graph returns it; any member may be missing or null. */
export type RecordedState = {
  id?: string;
  deviceName?: string | null;
  internalVersion?: number;
  lastStateUpdateDateTime?: string;
  configurationState?: string;
  configurationOutput?: string | null;
  configurationError?: string | null;
  osVersion?: string | null;
  upn?: string | null;
};

/**
 * The ids of the records that can only belong to this run, best match first. Device name, policy version and state must be
 * equal; the completion instant must match to 100 ns, or to the record's own precision; the output must match in full or
 * in a long part. Only the records of the highest grade are returned. If two runs of a device agree in all of this, their
 * records are assigned by ownership.
 */
export function matchingRecords(state: DeviceRunState, records: readonly RecordedState[]): string[] {
  const grades = Map.groupBy(records, (record) => grade(state, record));
  const highest = Math.max(...Array.from(grades.keys(), (each) => each ?? 0));
  const alike = grades.get(highest) ?? [];
  return alike
    .toSorted((a, b) => agreement(state, b) - agreement(state, a))
    .flatMap((record) => (record.id === undefined ? [] : [record.id]));
}

/** How well a record matches a run, from 1 to 4; null if it belongs to another run. */
function grade(state: DeviceRunState, record: RecordedState): number | null {
  if (
    record.internalVersion !== state.internalVersion ||
    record.configurationState?.toLowerCase() !== state.configurationState.toLowerCase() ||
    !sameName(record.deviceName, state.deviceName)
  ) {
    return null;
  }
  const instant = compareInstants(state.lastStateUpdateDateTime, record.lastStateUpdateDateTime ?? '');
  if (instant === 'different') return null;
  const output = compareTexts(state.configurationOutput, record.configurationOutput);
  if (output === 'different') return null;
  return (instant === 'exact' ? 3 : 1) + (output === 'same' ? 1 : 0);
}

/** How many of the optional members match: two runs may differ in nothing else. */
function agreement(state: DeviceRunState, record: RecordedState): number {
  const { configurationError, osVersion, upn, deviceName } = state;
  return [
    compareTexts(configurationError, record.configurationError) !== 'different',
    sameName(record.osVersion, osVersion),
    sameName(record.upn, upn),
    record.deviceName === deviceName,
  ].filter(Boolean).length;
}
