// What a tenant's Graph was seen to support: what has been proven, what was refused, since when, and how to describe it.
import { toInstantText } from './history.ts';

/**
 * `createProven`: a create succeeded; its time is that of the first one. `oneRowPerDevice`: a create returned the id of a
 * record that an earlier create had made. The others are features that requests may use.
 */
export const GRAPH_FACTS = [
  'createProven',
  'filterTaken',
  'orderByTaken',
  'deleteByKeyTaken',
  'oneRowPerDevice',
] as const;
export type GraphFact = (typeof GRAPH_FACTS)[number];

/** Whether the fact is true, and since when that is known, in milliseconds since 1970. */
export type Seen = { holds: boolean; at: number };

/** Null if nothing is known. */
export type GraphFacts = Record<GraphFact, Seen | null>;

/** Facts found out at one moment. */
export type Learned = Partial<Record<GraphFact, Seen>>;

/** A refused query option is tried again after this time. */
export const REFUSAL_REMEMBERED_MS = 3_600_000;
const ASKED_AGAIN: readonly GraphFact[] = ['filterTaken', 'orderByTaken'];

/** Drops refusals old enough for another try. */
export function stillKnown(facts: GraphFacts, now: number): GraphFacts {
  const isOld = (fact: GraphFact, { holds, at }: Seen) =>
    !holds && ASKED_AGAIN.includes(fact) && now - at >= REFUSAL_REMEMBERED_MS;
  const kept = GRAPH_FACTS.map((fact) => {
    const seen = facts[fact];
    return [fact, seen && isOld(fact, seen) ? null : seen];
  });
  return Object.fromEntries(kept) as GraphFacts;
}

/** Merges newly learned facts into those already known, if any. */
export function withLearned(known: GraphFacts | null, learned: Learned): GraphFacts | null {
  if (known === null && Object.keys(learned).length === 0) return null;
  const facts = GRAPH_FACTS.map((fact) => [fact, known?.[fact] ?? null]);
  return { ...(Object.fromEntries(facts) as GraphFacts), ...learned };
}

/** The phrase for each fact: if it is true, if it is false, and if it is unknown. */
const WORDS: Record<GraphFact, { yes: string; no?: string; open?: string }> = {
  createProven: { yes: 'it takes creates', open: 'no create has succeeded yet' },
  filterTaken: { yes: 'it takes $filter', no: 'it does not take $filter: lookups read whole listings' },
  orderByTaken: { yes: 'it takes $orderby', no: 'it does not take $orderby' },
  deleteByKeyTaken: { yes: 'it deletes a record by its id', no: 'it deletes no record by its id' },
  oneRowPerDevice: { yes: 'it keeps one row per device: a newer result replaces the record of the one before' },
};

/** What is known about the tenant's Graph, for a person: one phrase per fact. */
export function describeGraphFacts(facts: GraphFacts): string[] {
  return GRAPH_FACTS.flatMap((fact) => {
    const seen = facts[fact];
    const { yes, no, open } = WORDS[fact];
    const phrase = seen === null ? open : seen.holds ? yes : no;
    if (phrase === undefined) return [];
    if (seen === null) return [phrase];
    return [`${phrase} (${fact === 'createProven' ? 'since' : 'seen'} ${toInstantText(seen.at)})`];
  });
}
