// Readiness: whether a process can do its work, as checks of Redis, its memory, the backlog and the holds.
import pTimeout from 'p-timeout';
import { partialHolds, REMEDIES, remedyOfHold, summariseHolds, tenantHold, type Hold } from '../domain/hold/hold.ts';
import type { WatchedTenants } from '../config/tenants/watch.ts';
import { isFull, WHO_IS_REFUSED, type BacklogState } from '../domain/operations/backlog.ts';
import type { Check, Readiness } from '../http/response/response-schemas.ts';
import type { AcceptingTenant } from '../queue/accepting-tenant.ts';
import { LeftAlone } from '../queue/store/left-alone.ts';
import { redisErrorsOf } from '../queue/redis/connection.ts';
import type { OpenRedis } from '../queue/redis/open-redis.ts';
import { describeWeakness, inspectRedis } from '../queue/redis/health.ts';
import { refusalOf } from '../queue/redis/redis-errors.ts';
import type { Tenant } from '../queue/tenant.ts';
import type { AskRedis } from './ask-redis.ts';
import { toDirectoryCheck, type ReadDirectory } from './directory-view.ts';

/** How long readiness reports that Redis denied a command, since that command may not be sent again for a while. */
const DENIED_REPORTED_MS = 60_000;
/** How long a refusal by Redis is given as the cause of failures: longer than the pause between two reconnects. */
const UNAVAILABLE_REPORTED_MS = 5000;
/** From this share of maxmemory an operator should act: from 95 % on submissions are refused. */
const MEMORY_WARNING = 0.9;

/** How long a description of what Redis's silence means may take. */
const EXPLAIN_WITHIN_MS = 1500;
/** Longer than one wait for replicas, and less than a check may take, so that it says what is missing. */
const REPLICAS_WITHIN_MS = 1300;

export type ReadinessTenant = {
  tenant: Pick<Tenant, 'id' | 'readSnapshot' | 'probeWrite' | 'probeReplicas'> &
    Partial<Pick<AcceptingTenant, 'backlogState'>>;
  readDirectory: ReadDirectory;
};

/** How the tenants differ from the present file. */
export type TenantsFileState = Pick<WatchedTenants, 'faults' | 'unopened'>;

export type ReadinessSource = {
  redis: Pick<OpenRedis, 'connection' | 'explainSilence'>;
  tenants: () => readonly ReadinessTenant[];
  askRedis: AskRedis;
  /** Null without one. */
  tenantsFile: TenantsFileState | null;
};

export function createReadiness(source: ReadinessSource): () => Promise<Readiness> {
  const { redis, tenants, askRedis, tenantsFile } = source;
  const { connection } = redis;

  /** Quotes Redis if it refused this command or a recent one; otherwise says that it does not answer. */
  function describeTrouble(error: unknown): string {
    const refusal = error instanceof Error && error.name === 'ReplyError' ? (refusalOf(error) ?? error.message) : null;
    const said = refusal ?? redisErrorsOf(connection).lastUnavailable(UNAVAILABLE_REPORTED_MS);
    const trouble = said === null ? 'does not answer' : `takes no writes: ${said}`;
    return `${trouble}; submissions are refused with 503`;
  }

  async function readiness(): Promise<Readiness> {
    try {
      const [inspected, ofTenants] = await askRedis(() =>
        Promise.all([inspectRedis(connection), Promise.all(tenants().map(checkTenant))]),
      );
      const denied = redisErrorsOf(connection).lastDenied(DENIED_REPORTED_MS);
      const weakness = describeWeakness(inspected);
      const checks: Record<string, Check> = {
        redis:
          denied === null ? { ok: true, detail: 'answers' } : { ok: false, detail: `refuses a command: ${denied}` },
        durability: {
          ok: weakness === null,
          detail: weakness ?? 'always: a write is fsynced before it is acknowledged',
        },
        memory: toMemoryCheck(inspected.memoryUsed),
        ...combineChecks(ofTenants),
        ...(tenantsFile && { tenants: toFileCheck(tenantsFile, ofTenants.length) }),
      };
      const isOutdated = ofTenants.length > 0 && ofTenants.every((tenant) => tenant.checks['data']?.ok === false);
      const isFailing = isOutdated || isFull(inspected.memoryUsed) || checks['replicas']?.ok === false;
      if (isFailing) return { status: 'failing', checks };
      return { status: Object.values(checks).every(({ ok }) => ok) ? 'ok' : 'degraded', checks };
    } catch (error) {
      const waitingFor = await pTimeout(redis.explainSilence(), { milliseconds: EXPLAIN_WITHIN_MS }).catch(() => null);
      const why = waitingFor === null ? '' : `: waiting for ${waitingFor}`;
      return { status: 'failing', checks: { redis: { ok: false, detail: `${describeTrouble(error)}${why}` } } };
    }
  }

  return readiness;
}

type TenantChecks = { id: string; checks: Record<string, Check> };

/** A tenant whose data a newer version has taken over, or which is moved, has no other check. */
async function checkTenant(tenant: ReadinessTenant): Promise<TenantChecks> {
  try {
    return await checkOwnTenant(tenant);
  } catch (error) {
    if (!(error instanceof LeftAlone)) throw error;
    return { id: tenant.tenant.id, checks: { data: { ok: false, detail: `left alone: ${error.message}` } } };
  }
}

async function checkOwnTenant({ tenant, readDirectory }: ReadinessTenant): Promise<TenantChecks> {
  const { id, readSnapshot, backlogState } = tenant;
  const [{ holds, throttle }, directory, replicas] = await Promise.all([
    readSnapshot(),
    readDirectory(),
    checkReplicas(tenant),
    tenant.probeWrite(),
  ]);
  const checks = {
    ...(replicas && { replicas }),
    ...(backlogState && { backlog: toBacklogCheck(backlogState()) }),
    graph: toGraphCheck(holds, throttle),
    ...(directory && { directory: toDirectoryCheck(directory) }),
  };
  return { id, checks };
}

/** Null if there are enough, or none are asked for. */
async function checkReplicas({ probeReplicas }: Pick<Tenant, 'probeReplicas'>): Promise<Check | null> {
  try {
    const message = 'replicas have not confirmed anything in time';
    await pTimeout(probeReplicas(), { milliseconds: REPLICAS_WITHIN_MS, message });
    return null;
  } catch (error) {
    const detail = error instanceof Error ? error.message : 'no answer';
    return { ok: false, detail: `${detail}; submissions are refused with 503. Check the replicas of Redis` };
  }
}

/** Of several tenants, a check says how many fail it, and why the first one does. */
function combineChecks(tenants: readonly TenantChecks[]): Record<string, Check> {
  const [only, ...others] = tenants;
  if (only && others.length === 0) return only.checks;
  const names = new Set(tenants.flatMap(({ checks }) => Object.keys(checks)));
  return Object.fromEntries(Array.from(names, (name) => [name, combine(name, tenants)]));
}

function combine(name: string, tenants: readonly TenantChecks[]): Check {
  const failing = tenants.flatMap(({ id, checks }) => (checks[name]?.ok === false ? { id, ...checks[name] } : []));
  const [first] = failing;
  if (!first) return { ok: true, detail: `of ${tenants.length} tenants none is in trouble` };
  return { ok: false, detail: `${failing.length} of ${tenants.length} tenants; ${first.id}: ${first.detail}` };
}

function toFileCheck(file: TenantsFileState, tenants: number): Check {
  const [fault, ...others] = file.faults();
  if (fault !== undefined) {
    const more = others.length === 0 ? '' : `, and ${others.length} more faults`;
    return { ok: false, detail: `the tenants file is not used, as it has faults: ${fault}${more}` };
  }
  const unopened = file.unopened();
  if (unopened.length === 0) return { ok: true, detail: `${tenants} tenants, as in the file` };
  const which = `${unopened[0]}${unopened.length === 1 ? '' : ` and ${unopened.length - 1} more`}`;
  return {
    ok: false,
    detail: `not as in the file: ${which} could not be opened, which is tried again; the log says why`,
  };
}

/** Makes readiness fail once the process was asked to stop, so that load balancers send it no new requests. */
export function untilStopped(readiness: () => Promise<Readiness>, stopping: AbortSignal): () => Promise<Readiness> {
  return async () => {
    const ready = await readiness();
    if (!stopping.aborted) return ready;
    const process = { ok: false, detail: 'was asked to stop, and serves on for a while' };
    return { status: 'failing', checks: { process, ...ready.checks } };
  };
}

/** Names no hardware configuration, because readiness is public. */
function toGraphCheck(holds: readonly Hold[], throttle: { until: number } | null): Check {
  const hold = tenantHold(holds);
  if (hold) {
    return { ok: false, detail: `${hold.reason} since ${toIso(hold.since)}: ${hold.detail}. ${REMEDIES[hold.reason]}` };
  }
  const [first, ...others] = summariseHolds(partialHolds(holds));
  if (first) {
    const more = others.length === 0 ? '' : `, and ${others.length} more`;
    return {
      ok: false,
      detail: `${first.hardwareConfigurationId === null ? 'lookups are' : 'one hardware configuration is'} held${more}, all else flows: ${first.reason} since ${toIso(first.since)}: ${first.detail}. ${remedyOfHold(first)}`,
    };
  }
  return { ok: true, detail: throttle === null ? 'not held' : `throttled until ${toIso(throttle.until)}` };
}

function toMemoryCheck(used: number | null): Check {
  if (used === null) return { ok: true, detail: 'no maxmemory is set' };
  const ok = used < MEMORY_WARNING;
  return {
    ok,
    detail: `${Math.round(used * 100)} % of maxmemory${ok ? '' : ': nearly full; from 95 % on submissions are refused'}`,
  };
}

function toBacklogCheck({ room, reason }: BacklogState): Check {
  if (room === 'all') return { ok: true, detail: 'has room' };
  return { ok: false, detail: `${reason}; ${WHO_IS_REFUSED[room]} until there is room` };
}

const toIso = (at: number) => new Date(at).toISOString();
