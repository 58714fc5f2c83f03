// What is known about a tenant's Graph, as operators see it: each fact, and since when it is known.
import { GRAPH_FACTS, type GraphFact, type GraphFacts } from '../domain/operations/graph-facts.ts';

/** Facts that are only ever seen to be true: until then they count as false. */
const HOLD_WHEN_SEEN: readonly GraphFact[] = ['createProven', 'oneRowPerDevice'];

export type GraphFactsView = Record<'createProven' | 'oneRowPerDevice', boolean> &
  Record<Exclude<GraphFact, 'createProven' | 'oneRowPerDevice'>, boolean | null> &
  Record<`${GraphFact}At`, string | null>;

export function toGraphFactsView(facts: GraphFacts): GraphFactsView {
  const members = GRAPH_FACTS.flatMap((fact) => {
    const seen = facts[fact];
    const unseen = HOLD_WHEN_SEEN.includes(fact) ? false : null;
    return [
      [fact, seen?.holds ?? unseen],
      [`${fact}At`, seen ? new Date(seen.at).toISOString() : null],
    ];
  });
  return Object.fromEntries(members) as GraphFactsView;
}

/** Converts a view back into facts, for describing them in words. */
export function fromGraphFactsView(view: GraphFactsView): GraphFacts {
  const facts = GRAPH_FACTS.map((fact) => {
    const at = view[`${fact}At`];
    return [fact, at === null ? null : { holds: view[fact] === true, at: Date.parse(at) }];
  });
  return Object.fromEntries(facts) as GraphFacts;
}
