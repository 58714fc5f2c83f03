// Two Redis for tests of a move between them: opened as the command opens them, and what happens on the way.
import type { RedisConfig } from '../../src/config/redis.ts';
import { openRedis, type OpenRedis } from '../../src/queue/redis/open-redis.ts';
import {
  moveTenant,
  type MoveEnded,
  type MoveEvents,
  type MoveTenantParts,
} from '../../src/queue/redis/move/move-tenant.ts';
import type { MoveRedis } from '../../src/queue/redis/move/open-ends.ts';
import { DEFAULT_TENANT } from '../../src/config/tenants/tenant.ts';

export type OpenedEnd = MoveRedis & Pick<OpenRedis, 'close'>;

export async function openEnd(config: RedisConfig, name: string): Promise<OpenedEnd> {
  const ignore = () => undefined;
  const events = { redisTrouble: ignore, waitingForRedis: ignore, durability: ignore };
  return { ...(await openRedis(config, 'work', events)), name };
}

export const QUIET: MoveEvents = {
  passed: () => undefined,
  draining: () => undefined,
  closed: () => undefined,
  waiting: () => undefined,
};

type Moved = Pick<MoveTenantParts, 'source' | 'target'> & Partial<MoveTenantParts> & { isPreparing?: boolean };

/** With attempts that take half a second at most, as those of the tests' tenants. */
export function moveHere({ isPreparing = false, ...parts }: Moved): Promise<MoveEnded> {
  return moveTenant(
    {
      tenantId: DEFAULT_TENANT,
      attemptTimeoutMs: 500,
      signal: new AbortController().signal,
      ...parts,
      events: { ...QUIET, ...parts.events },
    },
    isPreparing,
  );
}
