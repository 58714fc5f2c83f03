// A scrape: the process's own metrics, and the gauges read from Redis.
import { DIRECTORY_HOLD_REASONS } from '../domain/directory/directory-answer.ts';
import { HOLD_REASONS } from '../domain/hold/hold.ts';
import { countParked } from '../domain/operations/tenant-snapshot.ts';
import { describeWeakness, inspectRedis } from '../queue/redis/health.ts';
import { LeftAlone } from '../queue/store/left-alone.ts';
import type { OpenRedis } from '../queue/redis/open-redis.ts';
import type { Tenant } from '../queue/tenant.ts';
import type { TenantLabels } from '../telemetry/events.ts';
import { forgetGauges, type Metrics } from '../telemetry/metrics.ts';
import { renderTenantGauges, type TenantGauges, type TenantReading } from '../telemetry/tenant-gauges.ts';
import type { AskRedis } from './ask-redis.ts';
import type { ReadDirectory } from './directory-view.ts';
import { countHeldConfigurations } from './hold-view.ts';
import { toTenantFigures } from './tenant-figures.ts';

export type GaugesTenant = {
  tenant: Pick<Tenant, 'readSnapshot'>;
  labels: TenantLabels;
  readDirectory: ReadDirectory;
};

export type GaugesSource = {
  redis: Pick<OpenRedis, 'connection' | 'jobs'>;
  tenants: readonly GaugesTenant[];
  metrics: Metrics;
  askRedis: AskRedis;
};

/**
 * Sets the process's gauges that are read from Redis. Without Redis they are absent.
 * @returns the tenants' gauges as Prometheus text, empty without Redis
 */
export async function readGauges(source: GaugesSource): Promise<string> {
  const { redis, tenants, metrics, askRedis } = source;
  try {
    const [inspected, jobs, readings] = await Promise.all([
      askRedis(() => inspectRedis(redis.connection)),
      askRedis(redis.jobs.count),
      askRedis(() => Promise.all(tenants.map((tenant) => readTenant(tenant).catch(unlessLeftAlone)))),
    ]);
    forgetGauges(metrics);
    for (const [state, count] of Object.entries(jobs)) metrics.queueJobs.set({ state }, count);
    if (inspected.memoryUsed !== null) metrics.redisMemory.set(inspected.memoryUsed);
    if (inspected.durability !== 'unknown') metrics.durable.set(describeWeakness(inspected) === null ? 1 : 0);
    metrics.redisUp.set(1);
    return renderTenantGauges(readings.filter((reading) => reading !== null));
  } catch {
    forgetGauges(metrics);
    metrics.redisUp.set(0);
    return '';
  }
}

/** A tenant whose data a newer version has taken over, or which is moved, has no gauges here; those of the others remain. */
function unlessLeftAlone(error: unknown): null {
  if (error instanceof LeftAlone) return null;
  throw error;
}

async function readTenant({ tenant, labels, readDirectory }: GaugesTenant): Promise<TenantReading> {
  const [snapshot, directory] = await Promise.all([tenant.readSnapshot(), readDirectory()]);
  const { counts, holds, parked, throttle, ...present } = toTenantFigures(snapshot);
  const held = new Set(holds.flatMap(({ hardwareConfigurationId: one, reason }) => (one === null ? reason : [])));
  const heldConfigurations = countHeldConfigurations(holds);
  const gauges: TenantGauges = {
    deliveries: counts,
    oldestQueuedAgeSeconds: present.oldestQueuedAgeSeconds,
    budgetWritesPerSecond: present.budgetWritesPerSecond,
    drainSeconds: present.drainSeconds,
    held: { ...byReason(HOLD_REASONS, (reason) => (held.has(reason) ? 1 : 0)), throttled: throttle === null ? 0 : 1 },
    heldConfigurations: byReason(HOLD_REASONS, (reason) => heldConfigurations.get(reason) ?? 0),
    heldDeliveries: countParked(parked),
    directoryWaiting: directory && directory.waiting,
    directoryKnown: directory && directory.known,
    directoryHeld:
      directory && byReason(DIRECTORY_HOLD_REASONS, (reason) => (directory.hold?.reason === reason ? 1 : 0)),
  };
  return { labels, gauges };
}

function byReason<T extends string>(reasons: readonly T[], read: (reason: T) => number): Record<T, number> {
  const values: Partial<Record<T, number>> = {};
  for (const reason of reasons) values[reason] = read(reason);
  return values as Record<T, number>;
}
