// What this tenant's Graph supports, as its lookups learned: shared between workers through Redis.
import type { Outcome } from '../src/domain/delivery.ts';
import { stillKnown, type GraphFact, type GraphFacts, type Seen } from '../src/domain/operations/graph-facts.ts';
import {
  createQueryOptionFacts,
  QUERY_OPTIONS,
  type QueryOptionFacts,
  type QueryOption,
} from '../src/graph/lookup/query-option-facts.ts';
import type { StoredGraphFacts } from '../src/queue/budget/stored-graph-facts.ts';

export type WorkerFacts = {
  /** The query options lookups use. */
  options: QueryOptionFacts;
  /** Called before every attempt: reads what other workers learned, if it was not read lately. */
  attempting: () => void;
  /** Called after every attempt; the first with a record in Graph proves that creates work. */
  attempted: (outcome: Outcome) => void;
};

const READ_EVERY_MS = 5000;
const FACT_OF: Record<QueryOption, GraphFact> = { $filter: 'filterTaken', $orderby: 'orderByTaken' };

type WorkerFactsOptions = {
  /** Whose facts these are: facts stored for another Graph or tenant are dropped. */
  subject: string;
  /** The clock all processes share. */
  clock: () => number;
  onTrouble: (error: unknown) => void;
};

export function openGraphFacts(
  stored: Pick<StoredGraphFacts, 'note' | 'read' | 'concern'>,
  { subject, clock, onTrouble }: WorkerFactsOptions,
): WorkerFacts {
  let concerned: Promise<void> | null = null;
  let isProven = false;
  let reading = false;
  let readAt = -Infinity;
  const options = createQueryOptionFacts(clock, ({ option, taken }, at) => {
    keep(FACT_OF[option], { holds: taken, at }).catch(onTrouble);
  });

  /** Once, before anything is stored. */
  function concern(): Promise<void> {
    return (concerned ??= stored.concern(subject).catch((error: unknown) => {
      concerned = null;
      throw error;
    }));
  }

  async function keep(fact: GraphFact, seen: Seen): Promise<void> {
    await concern();
    await stored.note(fact, seen);
  }

  function recall(facts: GraphFacts): void {
    for (const option of QUERY_OPTIONS) {
      const seen = facts[FACT_OF[option]];
      if (seen) options.recall({ option, taken: seen.holds }, seen.at);
    }
  }

  async function readBack(): Promise<void> {
    if (reading) return;
    [reading, readAt] = [true, clock()];
    try {
      await concern();
      recall(stillKnown(await stored.read(), clock()));
    } finally {
      reading = false;
    }
  }

  void readBack().catch(onTrouble);

  return {
    options,
    attempting: () => {
      if (Math.abs(clock() - readAt) >= READ_EVERY_MS) readBack().catch(onTrouble);
    },
    attempted: ({ kind }) => {
      if (isProven || (kind !== 'created' && kind !== 'found')) return;
      isProven = true;
      keep('createProven', { holds: true, at: clock() }).catch((error: unknown) => {
        isProven = false;
        onTrouble(error);
      });
    },
  };
}
