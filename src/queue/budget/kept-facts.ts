// The facts about a tenant's Graph that Redis keeps, for a diagnosis: reads them, and adds what the diagnosis found out.
import type { GraphFact, GraphFacts, Learned } from '../../domain/operations/graph-facts.ts';
import type { RedisConfig } from '../../config/redis.ts';
import { createStoredGraphFacts, type StoredGraphFacts } from './stored-graph-facts.ts';
import { createKeys } from '../redis/keys.ts';
import { connect, disconnect, waitUntilReady } from '../redis/connection.ts';
import { DEFAULT_TENANT } from '../../config/tenants/tenant.ts';

/** Null if Redis cannot be reached, or holds facts about another Graph or tenant. */
export function readKeptFacts(config: RedisConfig, subject: string): Promise<GraphFacts | null> {
  return withFacts(config, async (facts) => ((await isOf(facts, subject)) ? facts.read() : null));
}

/** Stores nothing if Redis cannot be reached, or holds facts about another Graph or tenant. */
export async function addKeptFacts(config: RedisConfig, subject: string, seen: Learned): Promise<void> {
  await withFacts(config, async (facts) => {
    if (!(await isOf(facts, subject))) return null;
    await facts.concern(subject);
    for (const [fact, one] of Object.entries(seen)) await facts.note(fact as GraphFact, one);
    return null;
  });
}

async function isOf(facts: StoredGraphFacts, subject: string): Promise<boolean> {
  const kept = await facts.subject();
  return kept === null || kept === subject;
}

async function withFacts<T>(
  config: RedisConfig,
  use: (facts: StoredGraphFacts) => Promise<T | null>,
): Promise<T | null> {
  const redis = connect(config, 'examine', () => undefined);
  try {
    await waitUntilReady(redis);
    if (redis.status !== 'ready') return null;
    return await use(createStoredGraphFacts(redis, createKeys(config.prefix, DEFAULT_TENANT)));
  } catch {
    // Another check reports problems with Redis.
    return null;
  } finally {
    await disconnect(redis);
  }
}
