// A profile: how one tenant's Graph differs from the documented one, as data.
import type { Answer } from '../server/answer.ts';
import type { Trace } from '../graph/graph-error.ts';
import type { GraphOperation } from '../faults/operation.ts';

/** A request with a valid token that is neither throttled nor forbidden. */
export type ProfiledRequest = {
  method: string;
  url: URL;
  operation: GraphOperation;
  /** Whether it concerns the first of the tenant's hardware configurations. */
  isOfFirstConfiguration: boolean;
  trace: Trace;
};

export type NewRecord = { configurationId: string; deviceName: string; sequence: number };

export type Profile = {
  /** One line, for the list of profiles. */
  about: string;
  /** The response that replaces the normal one; undefined to execute the request. */
  refuse?: (request: ProfiledRequest) => Answer | undefined;
  /** The id for a new record, in lower case. */
  newId?: (record: NewRecord) => string;
  /** The effect of a create for a device that already has a record under the same configuration. */
  secondOfDevice?: 'conflict' | 'replaces';
  /** Where the last page of a listing links to. */
  lastPage?: 'back-to-the-first';
  pageSize?: number;
  longestText?: number;
};
