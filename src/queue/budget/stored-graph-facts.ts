// StoredGraphFacts about a tenant's Graph, each with the time it was seen; shared by all processes.
import { GRAPH_FACTS, type GraphFact, type GraphFacts, type Seen } from '../../domain/operations/graph-facts.ts';
import type { Keys } from '../redis/keys.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { scriptOf } from '../redis/script.ts';
import { SUBJECT_FIELD } from '../lua/constants.ts';

export type StoredGraphFacts = {
  /** `createProven` keeps the time of the first note. */
  note: (fact: GraphFact, seen: Seen) => Promise<void>;
  read: () => Promise<GraphFacts>;
  /** The Graph and tenant these facts are about; null if not recorded yet. */
  subject: () => Promise<string | null>;
  /** Sets the Graph and tenant of the facts; facts about another one are dropped. */
  concern: (subject: string) => Promise<void>;
};

export function createStoredGraphFacts(redis: RedisConnection, { facts: key }: Pick<Keys, 'facts'>): StoredGraphFacts {
  const setGraph = scriptOf(redis, 'budget/set-graph');
  const noteFact = scriptOf(redis, 'budget/note-fact');
  return {
    note: async (fact, seen) => {
      await noteFact([key], [fact, write(seen), fact === 'createProven' ? 'first' : 'last']);
    },
    read: async () => {
      const found = await redis.hmget(key, ...GRAPH_FACTS);
      return Object.fromEntries(GRAPH_FACTS.map((fact, index) => [fact, read(found[index])])) as GraphFacts;
    },
    subject: () => redis.hget(key, SUBJECT_FIELD),
    concern: async (subject) => {
      await setGraph([key], [subject]);
    },
  };
}

const write = ({ holds, at }: Seen) => `${holds ? 1 : 0}:${at}`;

/** StoredGraphFacts that are true were originally stored as the instant alone. */
function read(text: string | null | undefined): Seen | null {
  const [, holds, at] = /^(?:([01]):)?(\d+)$/.exec(text ?? '') ?? [];
  return at === undefined ? null : { holds: holds !== '0', at: Number(at) };
}
