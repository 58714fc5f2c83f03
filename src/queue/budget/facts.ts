// What was seen of a tenant's Graph, with when: kept by all processes together.
import { GRAPH_FACTS, type GraphFact, type GraphFacts, type Seen } from '../../domain/operations/graph-facts.ts';
import type { Keys } from '../redis/keys.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { scriptOf } from '../redis/script.ts';
import { SUBJECT_FIELD } from '../lua/constants.ts';

export type Facts = {
  /** That a create is proven keeps the time of the first one. */
  note: (fact: GraphFact, seen: Seen) => Promise<void>;
  read: () => Promise<GraphFacts>;
  /** Of which Graph and tenant these facts are; null where nobody said so. */
  subject: () => Promise<string | null>;
  /** From now on they are of this one: what was seen of another is forgotten. */
  concern: (subject: string) => Promise<void>;
};

export function createFacts(redis: RedisConnection, { facts: key }: Pick<Keys, 'facts'>): Facts {
  const setGraph = scriptOf(redis, 'budget/set-graph');
  return {
    note: async (fact, seen) => {
      if (fact === 'createProven') await redis.hsetnx(key, fact, write(seen));
      else await redis.hset(key, fact, write(seen));
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

/** An instant alone is how facts that hold were written at first. */
function read(text: string | null | undefined): Seen | null {
  const [, holds, at] = /^(?:([01]):)?(\d+)$/.exec(text ?? '') ?? [];
  return at === undefined ? null : { holds: holds !== '0', at: Number(at) };
}
