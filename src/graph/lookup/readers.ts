// The lookups that share the reading of one listing: each gets its device's records, and leaves on its own.
import type { DeviceRunState } from '../../domain/device-run-state.ts';
import type { Failure } from '../../domain/attempt/failure.ts';
import type { RecordedState } from '../../domain/attempt/matching-records.ts';

/** Why a part of a listing was not read, and where a later lookup continues (null: from the start). */
export type Unread = { detail: string; next: string | null };

/** What one lookup gets: the records with its device's name, as far as the listing was read. */
export type Reading = {
  kind: 'reading';
  records: RecordedState[];
  /** Null if everything was read. */
  unread: Unread | null;
  /** Why reading stopped, if the cause is not a single page, see `concernsEveryone` in read-pages.ts. */
  failure: Failure | null;
  requestId: string | null;
};

/** How a reading ended, for each lookup that was still part of it. */
export type Ending = Omit<Reading, 'kind' | 'records'>;

/** A lookup as part of a reading. It leaves once: with the result, with an error, or because its own signal aborts. */
export type Reader = {
  state: DeviceRunState;
  records: RecordedState[];
  promise: Promise<Reading>;
  end: (ending: Ending) => void;
  fail: (error: unknown) => void;
};

/** The lookups that are still part of a reading; `signal` aborts it once none is left. */
export type Readers = { all: Set<Reader>; signal: AbortSignal };

/** Readers, while further lookups can still join them. */
export type JoinableReaders = Readers & { add: (state: DeviceRunState, signal: AbortSignal) => Reader };

export function createReaders(): JoinableReaders {
  const all = new Set<Reader>();
  const calledOff = new AbortController();
  return {
    all,
    signal: calledOff.signal,
    add: (state, signal) => {
      const { promise, resolve, reject } = Promise.withResolvers<Reading>();
      const leave = () => {
        all.delete(reader);
        signal.removeEventListener('abort', onAbort);
        if (all.size === 0) calledOff.abort();
      };
      const reader: Reader = {
        state,
        records: [],
        promise,
        end: (reading) => {
          leave();
          resolve({ kind: 'reading', records: reader.records, ...reading });
        },
        fail: (error) => {
          leave();
          reject(error);
        },
      };
      const onAbort = () => reader.fail(signal.reason);
      all.add(reader);
      signal.addEventListener('abort', onAbort);
      if (signal.aborted) onAbort();
      return reader;
    },
  };
}
