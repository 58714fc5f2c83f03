// A configuration's run summary: counts the newest run state of each device and each user.
import type { RunState } from '../../graph/wire.ts';
import { formatDateTimeOffset } from './date-time-offset.ts';
import type { StoredRunState } from './run-state-store.ts';

const word: Record<RunState, string> = {
  unknown: 'unknown',
  success: 'successful',
  fail: 'failed',
  scriptError: 'error',
  pending: 'pending',
  notApplicable: 'notApplicable',
};

/** `microsoft.graph.hardwareConfigurationRunSummary` for run states in ascending order of their instants. */
export function summarise(configurationId: string, byInstant: readonly StoredRunState[]): Record<string, unknown> {
  const ofDevice = new Map<string, RunState>();
  const ofUser = new Map<string, RunState>();
  for (const { members } of byInstant) {
    ofDevice.set(members.deviceName ?? '', members.configurationState);
    if (members.upn !== null) ofUser.set(members.upn, members.configurationState);
  }
  const newest = byInstant.at(-1);
  return {
    '@odata.type': '#microsoft.graph.hardwareConfigurationRunSummary',
    id: configurationId,
    ...count(ofDevice, 'DeviceCount'),
    ...count(ofUser, 'UserCount'),
    lastRunDateTime: newest === undefined ? null : formatDateTimeOffset(newest.instantTicks),
  };
}

function count(newestStates: Map<string, RunState>, suffix: string): Record<string, number> {
  const counts = Object.fromEntries(Object.values(word).map((name) => [name + suffix, 0]));
  for (const state of newestStates.values()) counts[word[state] + suffix] = (counts[word[state] + suffix] ?? 0) + 1;
  return counts;
}
