// A worker: opens Redis and the tenants of a configuration, and listens for health checks and scrapes.
import { openAnnouncements } from '../src/api/announcements.ts';
import { createHealth } from '../src/api/health.ts';
import { untilStopped } from '../src/api/readiness.ts';
import type { Config } from '../src/config/config.ts';
import { watchTenants } from '../src/config/tenants/watch.ts';
import { createHealthApp } from '../src/http/health-app.ts';
import { listen } from '../src/http/server.ts';
import { createOpenTenants, type OpenTenants } from '../src/process/open-tenants.ts';
import { openParts, type Parts } from '../src/process/parts.ts';
import { cannotListen } from '../src/process/start-checks.ts';
import { createConsumer } from '../src/queue/jobs/consumer.ts';
import { openRedis } from '../src/queue/redis/open-redis.ts';
import type { TenantOptions } from '../src/queue/tenant.ts';
import { createSlots } from '../src/queue/worker/slots.ts';
import type { Telemetry } from '../src/telemetry/telemetry.ts';
import { openWorkerTenant, type WorkerTenant } from './worker-tenant.ts';

export type WorkerOptions = {
  telemetry: Telemetry;
  /** Parts of the process that this worker becomes part of; without them it has its own. */
  parts?: Parts;
  /** Replaces the clock of Redis. */
  clock?: () => number;
  random?: () => number;
  /** Replaces the tenant's budget, such as by one on a faster clock. */
  toBudget?: NonNullable<TenantOptions['toBudget']>;
};

export type Worker = {
  /** Where it answers health checks and scrapes. */
  port: number;
  tenants: Pick<OpenTenants<WorkerTenant>, 'find' | 'all'>;
  close: () => Promise<void>;
};

/** @throws CannotStart if the configuration requires something this machine lacks */
export function openWorker(config: Config, options: WorkerOptions): Promise<Worker> {
  const { events, log, metrics } = options.telemetry;
  return openParts(options.parts, events.closeFailed, async (parts) => {
    const { host, port: wanted, concurrency } = config.worker;
    const redis = await openRedis(config.redis, 'work', events);
    parts.opened('redis', redis.close);
    const consumer = createConsumer({ redis: redis.connection, jobs: redis.jobs, events });
    parts.opened('consumer', consumer.close);
    const slots = createSlots(concurrency);
    const configured = await watchTenants(config, 'worker', events.tenantsRead);
    parts.opened('tenants file', configured.close, 'at once');
    const announcements = await openAnnouncements(config, {
      tenants: () => tenants.all().map(({ tenant }) => tenant),
      accepts: false,
      random: options.random ?? Math.random,
      events,
      parts,
    });
    const tenants: OpenTenants<WorkerTenant> = createOpenTenants({
      open: (tenant) =>
        openWorkerTenant(tenant, {
          ...options,
          redis,
          telemetry: {
            ...options.telemetry,
            ...announcements.noticing(tenant.id, options.telemetry.ofTenant(tenant.id)),
          },
          consumer,
          slots,
        }),
      onFailed: events.tenantFailed,
    });
    parts.opened('tenants', tenants.close);
    // The last opened stops first: nothing may be taken again that the tenants give back.
    parts.opened('deliveries', tenants.stop, 'at once');
    parts.opened('taking jobs', consumer.stop, 'at once');
    await tenants.open(configured.current());
    configured.onChange(tenants.apply);
    const health = createHealth({
      redis,
      tenants: tenants.all,
      metrics,
      labelsOf: (id) => options.telemetry.ofTenant(id).labels,
      tenantsFile: config.tenantsFile === null ? null : configured,
    });
    const app = createHealthApp({
      ...health,
      readiness: untilStopped(health.readiness, parts.signal),
      isAlive: consumer.isAlive,
      onAnswer: events.answered,
      onDefect: (error) => events.defect(error, 'a route threw'),
    });
    const listener = await listen(app, {
      host,
      port: wanted,
      onRefused: events.connectionRefused,
      limits: { keepAliveTimeout: config.keepAliveTimeoutMs },
    }).catch(cannotListen('WORKER_PORT'));
    parts.signal.addEventListener('abort', listener.drain);
    parts.opened('listener', listener.close);
    const { port } = listener;
    log.info({ host, port, concurrency }, 'working');
    return { port, tenants };
  });
}
