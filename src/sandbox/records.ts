// Stored run states and logged requests in the form shown when inspecting the sandbox.
import type { LoggedRequest } from './server/request-log.ts';
import type { RunStateMembers, StoredRunState } from './graph/run-state-store.ts';

/** A stored run state, with its configuration and when it was created. */
export type RunStateRecord = RunStateMembers & { configurationId: string; createdAt: string };

/** A logged request. */
export type RequestRecord = Omit<LoggedRequest, 'atMs'> & { at: string };

export function toRecord({ configurationId, createdAtMs, members }: StoredRunState): RunStateRecord {
  return { configurationId, createdAt: new Date(createdAtMs).toISOString(), ...members };
}

export function toRequestRecord({ atMs, ...request }: LoggedRequest): RequestRecord {
  return { at: new Date(atMs).toISOString(), ...request };
}
