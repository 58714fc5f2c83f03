// All telemetry of a process: its log, its metrics, its events and its tracer.
import { createEvents, type Events, type TenantLabels } from './events.ts';
import type { Logger } from './log.ts';
import { createMetrics, type Metrics, type MetricsOptions } from './metrics.ts';
import { NO_TRACER, type Tracer } from './tracer.ts';

export type TenantTelemetry = { events: Events; labels: TenantLabels };

export type Telemetry = {
  log: Logger;
  metrics: Metrics;
  events: Events;
  tracer: Tracer;
  /** Events that name a tenant in log and metrics, where a process may have several. */
  ofTenant: (id: string) => TenantTelemetry;
};

/** Events are written to this log and counted; nothing is traced. */
export function createTelemetry(log: Logger, options: MetricsOptions = { byTenant: false }): Telemetry {
  const metrics = createMetrics(options);
  const toLabels = (tenantId: string | null) => (options.byTenant ? { tenant: tenantId ?? '' } : {});
  const events = createEvents(log, metrics, { toLabels });
  const known = new Map<string, TenantTelemetry>();

  function openTenant(tenantId: string): TenantTelemetry {
    if (!options.byTenant) return { events, labels: {} };
    const labels = toLabels(tenantId);
    return { events: createEvents(log.child({ tenantId }), metrics, { labels, toLabels }), labels };
  }

  return {
    log,
    metrics,
    events,
    tracer: NO_TRACER,
    ofTenant: (tenantId) => {
      const tenant = known.get(tenantId) ?? openTenant(tenantId);
      known.set(tenantId, tenant);
      return tenant;
    },
  };
}
