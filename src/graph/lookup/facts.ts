// Which query options this tenant's Graph accepts: learned once, cached, and reported for keeping.
import { REFUSAL_REMEMBERED_MS } from '../../domain/operations/graph-facts.ts';

/** OData query options that a service may refuse, ignore or fail over. */
export const QUERY_OPTIONS = ['$filter', '$orderby'] as const;
export type QueryOption = (typeof QUERY_OPTIONS)[number];

export type Fact = { option: QueryOption; taken: boolean };

export type Facts = {
  /** Null where it is not known, or not known any more. */
  taken: (option: QueryOption) => boolean | null;
  note: (option: QueryOption, taken: boolean) => void;
  /** What somebody else learnt; what is known here from later stays. */
  recall: (fact: Fact, at: number) => void;
};

/**
 * @param clock milliseconds; that of the instants recalled
 * @param onFact hears what was not known before, and when it was learnt
 */
export function createFacts(clock: () => number, onFact: (fact: Fact, at: number) => void = () => undefined): Facts {
  const noted = new Map<QueryOption, { taken: boolean; at: number }>();

  function taken(option: QueryOption): boolean | null {
    const fact = noted.get(option);
    return fact && clock() - fact.at < REFUSAL_REMEMBERED_MS ? fact.taken : null;
  }

  return {
    taken,
    note: (option, isTaken) => {
      const isNew = taken(option) !== isTaken;
      const at = clock();
      // A refusal is remembered from when it was learnt, or nobody would ever ask again.
      if (isNew || isTaken) noted.set(option, { taken: isTaken, at });
      if (isNew) onFact({ option, taken: isTaken }, at);
    },
    recall: ({ option, taken: isTaken }, at) => {
      if (at > (noted.get(option)?.at ?? -Infinity)) noted.set(option, { taken: isTaken, at });
    },
  };
}
