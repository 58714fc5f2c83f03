// Tracks which query options a service accepts; drops those it refuses or repeatedly fails on.
import type { Failure } from '../../domain/attempt/failure.ts';
import type { PageOfStates } from '../client.ts';
import type { Facts, QueryOption } from './facts.ts';

export type QueryOptions = {
  /** Asks with an option. Null where that is in vain, or has been before: go without it. */
  ask: (option: QueryOption, list: () => Promise<PageOfStates | Failure>) => Promise<PageOfStates | Failure | null>;
  /** Graph answers without the option: what failed with it failed because of it. */
  worksWithout: (option: QueryOption) => void;
};

/** One failure happens to every request; with two in a row, and none without the option, the option is to blame. */
const FAILURES_UNTIL_DOUBTED = 2;

export function createQueryOptions(facts: Facts): QueryOptions {
  const failures = new Map<QueryOption, number>();

  return {
    ask: async (option, list) => {
      if (facts.taken(option) === false) return null;
      const answer = await list();
      if (answer.kind === 'page') {
        failures.delete(option);
        // A filter that is answered may still find nothing: it is known to be taken by what it finds.
        if (option !== '$filter') facts.note(option, true);
        return answer;
      }
      if (isRefusal(answer)) {
        facts.note(option, false);
        return null;
      }
      if (answer.kind !== 'uncertain') return answer;
      const inARow = (failures.get(option) ?? 0) + 1;
      failures.set(option, inARow);
      return inARow < FAILURES_UNTIL_DOUBTED ? answer : null;
    },
    worksWithout: (option) => {
      if ((failures.get(option) ?? 0) < FAILURES_UNTIL_DOUBTED) return;
      failures.delete(option);
      facts.note(option, false);
    },
  };
}

/** 404 and 410 are about the configuration, whatever was asked. */
export function isRefusal(failure: Failure): boolean {
  return (
    failure.kind === 'conflict' ||
    failure.kind === 'route-not-served' ||
    (failure.kind === 'rejected' && failure.status !== 404 && failure.status !== 410)
  );
}
