// Gauges: the state of tenants and of Redis, read for each scrape.
import { DIRECTORY_HOLD_REASONS } from '../domain/directory/directory-answer.ts';
import { HOLD_REASONS } from '../domain/hold/hold.ts';
import { STATUSES } from '../domain/delivery.ts';
import { countParked } from '../domain/operations/tenant-snapshot.ts';
import { describeWeakness, inspectRedis } from '../queue/redis/health.ts';
import type { Tenant } from '../queue/tenant.ts';
import type { OpenRedis } from '../queue/redis/open-redis.ts';
import type { TenantLabels } from '../telemetry/events.ts';
import { forgetGauges, type Metrics } from '../telemetry/metrics.ts';
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

/** Without Redis, the gauges that are read from it are absent; the process's own metrics are still served. */
export async function setGauges(source: GaugesSource): Promise<void> {
  const { metrics } = source;
  await readGauges(source).catch(() => {
    forgetGauges(metrics);
    metrics.redisUp.set(0);
  });
}

async function readGauges({ redis, tenants, metrics, askRedis }: GaugesSource): Promise<void> {
  const [inspected, jobs, readings] = await Promise.all([
    askRedis(() => inspectRedis(redis.connection)),
    askRedis(redis.jobs.count),
    Promise.all(tenants.map((tenant) => readTenant(tenant, askRedis))),
  ]);
  forgetGauges(metrics);
  for (const reading of readings) setTenantGauges(metrics, reading);
  for (const [state, count] of Object.entries(jobs)) metrics.queueJobs.set({ state }, count);
  if (inspected.memoryUsed !== null) metrics.redisMemory.set(inspected.memoryUsed);
  if (inspected.durability !== 'unknown') metrics.durable.set(describeWeakness(inspected) === null ? 1 : 0);
  metrics.redisUp.set(1);
}

async function readTenant({ tenant, labels, readDirectory }: GaugesTenant, askRedis: AskRedis) {
  const [figures, directory] = await Promise.all([
    askRedis(tenant.readSnapshot).then(toTenantFigures),
    askRedis(readDirectory),
  ]);
  return { labels, figures, directory };
}

type Reading = Awaited<ReturnType<typeof readTenant>>;

function setTenantGauges(metrics: Metrics, { labels, figures, directory }: Reading): void {
  const { counts, holds, parked, throttle, ...present } = figures;
  for (const status of STATUSES) metrics.deliveries.set({ status, ...labels }, counts[status]);
  metrics.oldestQueuedAge.set(labels, present.oldestQueuedAgeSeconds);
  metrics.budgetWritesPerSecond.set(labels, present.budgetWritesPerSecond);
  metrics.drainSeconds.set(labels, present.drainSeconds);
  const heldConfigurations = countHeldConfigurations(holds);
  for (const reason of HOLD_REASONS) {
    const isHeld = holds.some((hold) => hold.hardwareConfigurationId === null && hold.reason === reason);
    metrics.held.set({ reason, ...labels }, isHeld ? 1 : 0);
    metrics.heldConfigurations.set({ reason, ...labels }, heldConfigurations.get(reason) ?? 0);
  }
  metrics.heldDeliveries.set(labels, countParked(parked));
  metrics.held.set({ reason: 'throttled', ...labels }, throttle === null ? 0 : 1);
  if (!directory) return;
  metrics.directoryWaiting.set(labels, directory.waiting);
  metrics.directoryKnown.set(labels, directory.known);
  for (const reason of DIRECTORY_HOLD_REASONS) {
    metrics.directoryHeld.set({ reason, ...labels }, directory.hold?.reason === reason ? 1 : 0);
  }
}
