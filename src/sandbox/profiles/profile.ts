// A profile: how one tenant's Graph differs from the documented one, as data.
import type { Answer } from '../server/answer.ts';
import type { Trace } from '../graph/graph-error.ts';
import type { GraphOperation } from '../faults/operation.ts';

/** A request with a good token that is neither throttled nor forbidden. */
export type ProfiledRequest = {
  method: string;
  url: URL;
  operation: GraphOperation;
  /** Whether it is about the first of the tenant's hardware configurations. */
  isOfFirstConfiguration: boolean;
  trace: Trace;
};

export type NewRecord = { configurationId: string; deviceName: string; sequence: number };

export type Profile = {
  /** One line for a list of them. */
  about: string;
  /** What is answered instead; undefined where the request is carried out. */
  refuse?: (request: ProfiledRequest) => Answer | undefined;
  /** The id of a new record, in lower case. */
  newId?: (record: NewRecord) => string;
  /** What becomes of a create for a device that has a record under the same configuration. */
  secondOfDevice?: 'conflict' | 'replaces';
  /** Where the last page of a listing leads. */
  lastPage?: 'back-to-the-first';
  pageSize?: number;
  longestText?: number;
};
