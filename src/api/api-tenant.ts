// A tenant in an API: what its routes, its dashboard and its callers' proofs need, opened and closed together.
import type { TenantConfig } from '../config/tenants/tenant.ts';
import type { TenantDashboard } from '../http/dashboard/dashboard.ts';
import type { VerifyInDirectory } from '../http/identity/certificate/directory.ts';
import type { Identities } from '../http/identity/identities.ts';
import { createDeviceRate } from '../http/request/rate.ts';
import type { Readiness } from '../http/response/response-schemas.ts';
import type { ServedTenant } from '../http/tenants/served-tenant.ts';
import type { OpenTenant } from '../process/open-tenants.ts';
import { openAcceptingTenant, type AcceptingTenant } from '../queue/accepting-tenant.ts';
import { openDirectory, type Directory } from '../queue/directory/directory.ts';
import type { OpenRedis } from '../queue/redis/open-redis.ts';
import type { TenantTelemetry } from '../telemetry/telemetry.ts';
import { openDashboard } from './dashboard-source.ts';

export type ApiTenant = OpenTenant & {
  tenant: AcceptingTenant;
  /** Null if the device directory vouches for nobody. */
  directory: Directory | null;
  served: ServedTenant;
  /** Null without an operator token. */
  dashboard: TenantDashboard | null;
};

export type ApiTenantParts = {
  redis: OpenRedis;
  telemetry: TenantTelemetry;
  identities: Pick<Identities, 'openTenant' | 'verifyOperator'>;
  /** Replaces the clock of Redis. */
  clock: (() => number) | undefined;
  /** Replaces the directory. */
  verifyInDirectory: VerifyInDirectory | undefined;
  deviceRatePerMin: number;
  readiness: () => Promise<Readiness>;
};

/** @throws CannotStart if a certificate cannot be used */
export async function openApiTenant(config: TenantConfig, parts: ApiTenantParts): Promise<ApiTenant> {
  const { events } = parts.telemetry;
  events.beginSubmissions();
  const tenant = await openAcceptingTenant(parts.redis, config, {
    redisTrouble: events.redisTrouble,
    onBacklog: events.backlog,
    clock: parts.clock,
  });
  const directory = config.directory && openDirectory(tenant, config.directory, events.redisTrouble);
  const readDirectory = async () => directory && (await directory.readState());
  const dashboard =
    parts.identities.verifyOperator && openDashboard({ ...parts, tenant, readDirectory, ...config.delivery });
  const close = async () => {
    dashboard?.close();
    await directory?.close();
    tenant.close();
  };
  try {
    const verifyInDirectory = parts.verifyInDirectory ?? directory?.verify ?? null;
    const identity = await parts.identities.openTenant(config, verifyInDirectory);
    return {
      id: tenant.id,
      tenant,
      directory,
      served: toServed(tenant, directory, parts.deviceRatePerMin),
      dashboard,
      stop: () => undefined,
      close: async () => {
        identity.close();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** A worker is woken for what there is to do; if that fails, one looks within seconds. */
function wakingWorkers({ replays, wakeReplay }: AcceptingTenant): ServedTenant['replays'] {
  return {
    ...replays,
    start: async (filter, terms) => {
      const started = await replays.start(filter, terms);
      if (started.kind === 'started') await wakeReplay().catch(() => undefined);
      return started;
    },
    change: async (id, operation) => {
      const change = await replays.change(id, operation);
      if (operation === 'resume' && change.kind === 'changed') await wakeReplay().catch(() => undefined);
      return change;
    },
  };
}

function toServed(tenant: AcceptingTenant, directory: Directory | null, ratePerMin: number): ServedTenant {
  const { id, revocations, forecast, deadLetters, summaries, reports, checkFormat } = tenant;
  /** Of what is read without a script: data that has moved to another Redis is out of date here. */
  const ifHere =
    <A extends unknown[], T>(read: (...args: A) => Promise<T>) =>
    async (...args: A): Promise<T> =>
      (await Promise.all([read(...args), checkFormat()]))[0];
  const replays = wakingWorkers(tenant);
  return {
    id,
    now: tenant.clock.now,
    rate: ratePerMin === 0 ? null : createDeviceRate(ratePerMin, tenant.countDevice),
    accept: revocations.whenKnown(tenant.accept),
    forecast,
    find: revocations.whenKnown(ifHere(tenant.deliveries.find)),
    findCompacted: revocations.whenKnown(tenant.deliveries.findCompacted),
    list: tenant.deliveries.list,
    deadLetters: { ...deadLetters, list: ifHere(deadLetters.list), count: ifHere(deadLetters.count) },
    reports: { ...reports, reportedAt: ifHere(reports.reportedAt) },
    summaries: { names: ifHere(summaries.names), read: ifHere(summaries.read) },
    replays: { ...replays, list: ifHere(replays.list), findOpen: ifHere(replays.findOpen) },
    revocations: { ...revocations, list: ifHere(revocations.list) },
    retire: reports.retire,
    forgetInDirectory: directory && directory.forget,
    endThrottle: tenant.budget.endThrottle,
  };
}
