// Which query options this tenant's Graph accepts: learned once, cached, and reported for keeping.
import { REFUSAL_REMEMBERED_MS } from '../../domain/operations/graph-facts.ts';

/** OData query options that a service may refuse, ignore or fail over. */
export const QUERY_OPTIONS = ['$filter', '$orderby'] as const;
export type QueryOption = (typeof QUERY_OPTIONS)[number];

export type QueryOptionFact = { option: QueryOption; taken: boolean };

export type QueryOptionFacts = {
  /** Null if unknown or outdated. */
  taken: (option: QueryOption) => boolean | null;
  note: (option: QueryOption, taken: boolean) => void;
  /** Adds a fact learned elsewhere; newer knowledge is kept. */
  recall: (fact: QueryOptionFact, at: number) => void;
};

/**
 * @param clock in milliseconds, the same as for the instants recalled
 * @param onFact called with each new fact and when it was learned
 */
export function createQueryOptionFacts(
  clock: () => number,
  onFact: (fact: QueryOptionFact, at: number) => void = () => undefined,
): QueryOptionFacts {
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
      // A refusal is remembered from when it was learned; otherwise the option would never be tried again.
      if (isNew || isTaken) noted.set(option, { taken: isTaken, at });
      if (isNew) onFact({ option, taken: isTaken }, at);
    },
    recall: ({ option, taken: isTaken }, at) => {
      if (at > (noted.get(option)?.at ?? -Infinity)) noted.set(option, { taken: isTaken, at });
    },
  };
}
