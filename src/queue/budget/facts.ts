// What was seen of a tenant's Graph, with when it was seen last: kept by all processes together.
import type { Keys } from '../redis/keys.ts';
import type { RedisConnection } from '../redis/connection.ts';

/** `oneRowPerDevice`: a create was answered with the id of a record that an earlier create had made. */
const FACTS = ['oneRowPerDevice'] as const;
export type Fact = (typeof FACTS)[number];

export type Facts = {
  note: (fact: Fact, now: number) => Promise<void>;
  /** When each was seen last; null where it never was. */
  read: () => Promise<Record<Fact, number | null>>;
};

export function createFacts(redis: RedisConnection, { facts: key }: Pick<Keys, 'facts'>): Facts {
  return {
    note: async (fact, now) => {
      await redis.hset(key, fact, now);
    },
    read: async () => {
      const found = await redis.hmget(key, ...FACTS);
      const seen = FACTS.map((fact, index) => [fact, found[index] ? Number(found[index]) : null]);
      return Object.fromEntries(seen) as Record<Fact, number | null>;
    },
  };
}
