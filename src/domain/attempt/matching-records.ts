// Which of the records in Graph can only be a given run: what is compared, and how exactly.
import type { DeviceRunState } from '../device-run-state.ts';
import { compareInstants } from '../submission/instant.ts';
import { compareTexts, sameName } from './text-agreement.ts';

/** What a record in Graph says of itself; any member may be missing or null. */
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
 * The ids of the records that can only be this run, those that agree in most come first. Device name, policy version and
 * state must be the same; the completion instant to 100 ns, or as far as the record tells it; the output whole, or a long
 * part of it. Where records agree in different degrees, only those of the highest count. Two runs of one device that agree
 * in all this are told apart by whose record is whose.
 */
export function matchingRecords(state: DeviceRunState, records: readonly RecordedState[]): string[] {
  const grades = Map.groupBy(records, (record) => grade(state, record));
  const highest = Math.max(...Array.from(grades.keys(), (each) => each ?? 0));
  const alike = grades.get(highest) ?? [];
  return alike
    .toSorted((a, b) => agreement(state, b) - agreement(state, a))
    .flatMap((record) => (record.id === undefined ? [] : [record.id]));
}

/** How well a record agrees with a run, from 1 to 4; null where it is another run's. */
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

/** In how much of what need not match a record agrees with a run: two runs may differ in nothing else. */
function agreement(state: DeviceRunState, record: RecordedState): number {
  const { configurationError, osVersion, upn, deviceName } = state;
  return [
    compareTexts(configurationError, record.configurationError) !== 'different',
    sameName(record.osVersion, osVersion),
    sameName(record.upn, upn),
    record.deviceName === deviceName,
  ].filter(Boolean).length;
}
