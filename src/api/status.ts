// Status: the deliveries, pace, holds and Graph facts of tenants, for operators.
import { WHO_IS_REFUSED, type BacklogState } from '../domain/operations/backlog.ts';
import { stillKnown } from '../domain/operations/graph-facts.ts';
import type { Status } from '../http/response/response-schemas.ts';
import type { AcceptingTenant } from '../queue/accepting-tenant.ts';
import { inspectRedis } from '../queue/redis/health.ts';
import type { RedisConnection } from '../queue/redis/connection.ts';
import type { Tenant } from '../queue/tenant.ts';
import type { AskRedis } from './ask-redis.ts';
import { toDirectoryStatus, type ReadDirectory } from './directory-view.ts';
import { toGraphFactsView } from './graph-facts-view.ts';
import { toHoldViews } from './hold-view.ts';
import { toTenantFigures } from './tenant-figures.ts';

type TenantStatus = Status['tenants'][number];

const THROTTLE_REMEDY =
  'Nothing to do: it passes by itself. Where Graph asked for an absurd time, end it with npx runstate-bridge throttle end.';

export type StatusTenant = {
  tenant: Pick<Tenant, 'id' | 'facts' | 'readSnapshot'> & Partial<Pick<AcceptingTenant, 'backlogState'>>;
  readDirectory: ReadDirectory;
};

export type StatusSource = { redis: RedisConnection; tenants: readonly StatusTenant[]; askRedis: AskRedis };

export async function readStatus({ redis, tenants, askRedis }: StatusSource): Promise<Status> {
  const [{ durability }, views] = await Promise.all([
    askRedis(() => inspectRedis(redis)),
    Promise.all(tenants.map((tenant) => readTenant(tenant, askRedis))),
  ]);
  return { tenants: views, durability };
}

async function readTenant({ tenant, readDirectory }: StatusTenant, askRedis: AskRedis): Promise<TenantStatus> {
  const [{ counts, holds, parked, throttle, ...present }, facts, directory] = await Promise.all([
    askRedis(tenant.readSnapshot).then(toTenantFigures),
    askRedis(() => tenant.facts.read()),
    askRedis(readDirectory),
  ]);
  const { queued, delivering, waiting, delivered, dead } = counts;
  return {
    id: tenant.id,
    counts: { queued, delivering, waiting, delivered, dead },
    oldestQueuedAgeSeconds: present.oldestQueuedAgeSeconds,
    budgetWritesPerSecond: present.budgetWritesPerSecond,
    drainSeconds: present.drainSeconds,
    holds: [
      ...toHoldViews(holds, parked),
      ...(throttle === null
        ? []
        : [
            {
              reason: 'throttled' as const,
              since: toIso(throttle.since),
              detail: `Graph said not before ${toIso(throttle.until)}`,
              remedy: THROTTLE_REMEDY,
            },
          ]),
    ],
    ...(tenant.backlogState && { backlog: toBacklogView(tenant.backlogState()) }),
    graph: toGraphFactsView(stillKnown(facts, present.now)),
    ...(directory && { directory: toDirectoryStatus(directory) }),
  };
}

const toBacklogView = ({ room, reason }: BacklogState) => ({
  accepts: room,
  detail: room === 'all' ? 'has room' : `${reason}; ${WHO_IS_REFUSED[room]}`,
});

const toIso = (at: number) => new Date(at).toISOString();
