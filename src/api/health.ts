// What a process says about its health: readiness, status for operators, and metrics for a scrape.
import type { Status } from '../http/response/response-schemas.ts';
import type { HealthParts } from '../http/routes/health.ts';
import type { AcceptingTenant } from '../queue/accepting-tenant.ts';
import type { Directory } from '../queue/directory/directory.ts';
import type { OpenRedis } from '../queue/redis/open-redis.ts';
import type { Tenant } from '../queue/tenant.ts';
import type { TenantLabels } from '../telemetry/events.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import { createAskRedis } from './ask-redis.ts';
import { readGauges } from './gauges.ts';
import { createReadiness, type TenantsFileState } from './readiness.ts';
import { readStatus } from './status.ts';

/** A check that takes longer counts as failed. */
const CHECK_WITHIN_MS = 1500;

export type HealthTenant = {
  tenant: Tenant & Partial<Pick<AcceptingTenant, 'backlogState'>>;
  /** Null if the device directory vouches for nobody. */
  directory: Pick<Directory, 'readState'> | null;
};

export type HealthSource = {
  redis: Pick<OpenRedis, 'connection' | 'explainSilence' | 'jobs'>;
  tenants: () => readonly HealthTenant[];
  metrics: Metrics;
  /** Labels of a tenant's gauges. */
  labelsOf?: (tenantId: string) => TenantLabels;
  /** Null without one. */
  tenantsFile?: TenantsFileState | null;
};

export type Health = Omit<HealthParts, 'isAlive'> & {
  /** Of all tenants, or of these. */
  status: (tenantIds?: readonly string[]) => Promise<Status>;
};

export function createHealth({
  redis,
  tenants,
  metrics,
  labelsOf = () => ({}),
  tenantsFile = null,
}: HealthSource): Health {
  const askRedis = createAskRedis(redis.connection, CHECK_WITHIN_MS);
  const read = () =>
    tenants().map(({ tenant, directory }) => ({
      tenant,
      labels: labelsOf(tenant.id),
      readDirectory: async () => directory && (await directory.readState()),
    }));
  return {
    readiness: createReadiness({ redis, tenants: read, askRedis, tenantsFile }),
    status: (tenantIds) =>
      readStatus({
        redis: redis.connection,
        tenants: read().filter(({ tenant }) => tenantIds?.includes(tenant.id) ?? true),
        askRedis,
      }),
    metrics: async () => {
      const ofTenants = await readGauges({ redis, tenants: read(), metrics, askRedis });
      if (tenantsFile) metrics.tenantsFileFaults.set(tenantsFile.faults().length + tenantsFile.unopened().length);
      return { contentType: metrics.registry.contentType, text: (await metrics.text()) + ofTenants };
    },
  };
}
