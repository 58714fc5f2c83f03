// What Graph is to store of a run, in Graph's words, and the mapping from a run result to it.
import type { RunResult, RunState } from './run-result.ts';
import { compareInstants } from './instant.ts';

/** The writable members of Graph's hardwareConfigurationDeviceState, and the configuration they belong to. */
export type DeviceRunState = {
  hardwareConfigurationId: string;
  deviceName: string;
  internalVersion: number;
  lastStateUpdateDateTime: string;
  configurationState: RunState;
  osVersion?: string;
  upn?: string | null;
  configurationOutput?: string;
  configurationError?: string;
};

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

/** ERROR_SUCCESS_REBOOT_REQUIRED and ERROR_SUCCESS_REBOOT_INITIATED: done, but a reboot is outstanding. */
const REBOOT_OUTSTANDING = [3010, 1641];

/** Maps a run result to what Graph stores; what the device did not say is left out. */
export function toDeviceRunState(run: RunResult): DeviceRunState {
  return {
    hardwareConfigurationId: run.hardwareConfigurationId,
    deviceName: run.deviceName,
    internalVersion: run.policyVersion,
    lastStateUpdateDateTime: run.completedAt,
    configurationState: run.state ?? toRunState(run.exitCode),
    ...(run.osVersion !== undefined && { osVersion: run.osVersion }),
    ...(run.upn !== undefined && { upn: run.upn }),
    ...(run.output !== undefined && { configurationOutput: run.output }),
    ...(run.error !== undefined && { configurationError: run.error }),
  };
}

function toRunState(exitCode: number | undefined): RunState {
  if (exitCode === undefined) return 'unknown';
  if (exitCode === 0) return 'success';
  return REBOOT_OUTSTANDING.includes(exitCode) ? 'pending' : 'fail';
}

/**
 * The ids of the records that can only be this run: same device name, policy version, completion instant, state and
 * output. Records whose instant is merely truncated count where none matches to the tick. Those that agree in the
 * remaining members too come first: two runs may differ in nothing else.
 */
export function matchingRecords(state: DeviceRunState, records: readonly RecordedState[]): string[] {
  const alike = records.filter(
    (record) =>
      record.deviceName === state.deviceName &&
      record.internalVersion === state.internalVersion &&
      record.configurationState === state.configurationState &&
      sameText(record.configurationOutput, state.configurationOutput),
  );
  const withInstant = (precision: 'exact' | 'truncated') =>
    alike.filter(
      (record) => compareInstants(state.lastStateUpdateDateTime, record.lastStateUpdateDateTime ?? '') === precision,
    );
  const exact = withInstant('exact');
  return (exact.length > 0 ? exact : withInstant('truncated'))
    .toSorted((a, b) => agreement(state, b) - agreement(state, a))
    .flatMap((record) => (record.id === undefined ? [] : [record.id]));
}

/** In how many of the members that need not match a record agrees with a run. */
function agreement(state: DeviceRunState, record: RecordedState): number {
  const members = ['configurationError', 'osVersion', 'upn'] as const;
  return members.filter((member) => sameText(record[member], state[member])).length;
}

/** Services are known to store an absent text as null or empty and to change line endings. */
function sameText(recorded: string | null | undefined, sent: string | null | undefined): boolean {
  return plain(recorded) === plain(sent);
}

function plain(text: string | null | undefined): string {
  return (text ?? '').replaceAll('\r\n', '\n').trimEnd();
}
