// Tracks which query options a service accepts; drops those it refuses or repeatedly fails on.
import type { Failure } from '../../domain/attempt/failure.ts';
import type { PageOfStates } from '../client.ts';
import type { QueryOptionFacts, QueryOption } from './query-option-facts.ts';

export type QueryOptions = {
  /** Lists with an option. Null if the service does not accept it, now or earlier: list without it. */
  listWith: (
    option: QueryOption,
    list: () => Promise<PageOfStates | Failure>,
  ) => Promise<PageOfStates | Failure | null>;
  /** Graph answers without the option, so failures with it were caused by it. */
  worksWithout: (option: QueryOption) => void;
};

/** Any request may fail once; if two in a row fail with the option and none without, the option is the cause. */
const FAILURES_UNTIL_DOUBTED = 2;

export function createQueryOptions(facts: QueryOptionFacts): QueryOptions {
  const failures = new Map<QueryOption, number>();

  return {
    listWith: async (option, list) => {
      if (facts.taken(option) === false) return null;
      const answer = await list();
      if (answer.kind === 'page') {
        failures.delete(option);
        // An accepted filter may still find nothing; it counts as working only once it has found something.
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

/** 404 and 410 concern the configuration rather than the option. */
export function isRefusal(failure: Failure): boolean {
  return (
    failure.kind === 'conflict' ||
    failure.kind === 'route-not-served' ||
    (failure.kind === 'rejected' && failure.status !== 404 && failure.status !== 410)
  );
}
