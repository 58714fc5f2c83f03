// What was seen of a tenant's Graph, with when: kept by all processes together.
import { GRAPH_FACTS, type GraphFact, type GraphFacts, type Seen } from '../../domain/operations/graph-facts.ts';
import type { Keys } from '../redis/keys.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { defineQuery } from '../redis/script.ts';

export type Facts = {
  /** That a create is proven keeps the time of the first one. */
  note: (fact: GraphFact, seen: Seen) => Promise<void>;
  read: () => Promise<GraphFacts>;
  /** Of which Graph and tenant these facts are; null where nobody said so. */
  subject: () => Promise<string | null>;
  /** From now on they are of this one: what was seen of another is forgotten. */
  concern: (subject: string) => Promise<void>;
};

const SUBJECT = 'of';

/** KEYS[1] facts; ARGV[1] whose they are from now on. */
const CONCERN = `
local before = redis.call('HGET', KEYS[1], '${SUBJECT}')
if before == ARGV[1] then return 0 end
if before then redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], '${SUBJECT}', ARGV[1])
return 1`;

export function createFacts(redis: RedisConnection, { facts: key }: Pick<Keys, 'facts'>): Facts {
  const concern = defineQuery(redis, 'concernFacts', CONCERN);
  return {
    note: async (fact, seen) => {
      if (fact === 'createProven') await redis.hsetnx(key, fact, write(seen));
      else await redis.hset(key, fact, write(seen));
    },
    read: async () => {
      const found = await redis.hmget(key, ...GRAPH_FACTS);
      return Object.fromEntries(GRAPH_FACTS.map((fact, index) => [fact, read(found[index])])) as GraphFacts;
    },
    subject: () => redis.hget(key, SUBJECT),
    concern: async (subject) => {
      await concern([key], [subject]);
    },
  };
}

const write = ({ holds, at }: Seen) => `${holds ? 1 : 0}:${at}`;

/** An instant alone is how facts that hold were written at first. */
function read(text: string | null | undefined): Seen | null {
  const [, holds, at] = /^(?:([01]):)?(\d+)$/.exec(text ?? '') ?? [];
  return at === undefined ? null : { holds: holds !== '0', at: Number(at) };
}
