// What this tenant's Graph was found to take: asked once, remembered for a while, and reported to whoever keeps it longer.

/** OData query options that a service may refuse, ignore or fail over. */
export type QueryOption = '$filter' | '$orderby';

export type Fact = { option: QueryOption; taken: boolean };

export type Facts = {
  /** Null where it is not known, or not known any more. */
  taken: (option: QueryOption) => boolean | null;
  note: (option: QueryOption, taken: boolean) => void;
};

/** After this an option that was refused is asked for again. */
const REMEMBERED_MS = 3_600_000;

/** @param onFact hears what was not known before */
export function createFacts(clock: () => number, onFact: (fact: Fact) => void = () => undefined): Facts {
  const noted = new Map<QueryOption, { taken: boolean; at: number }>();

  function taken(option: QueryOption): boolean | null {
    const fact = noted.get(option);
    return fact && clock() - fact.at < REMEMBERED_MS ? fact.taken : null;
  }

  return {
    taken,
    note: (option, isTaken) => {
      const isNew = taken(option) !== isTaken;
      // A refusal is remembered from when it was learnt, or nobody would ever ask again.
      if (isNew || isTaken) noted.set(option, { taken: isTaken, at: clock() });
      if (isNew) onFact({ option, taken: isTaken });
    },
  };
}
