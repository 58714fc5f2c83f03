// What a process says about its health: readiness with its checks, status for operators, gauges for a scrape.
import pTimeout from 'p-timeout';
import { STATUSES } from '../domain/delivery.ts';
import { toPerSecond } from '../domain/pace/per-window.ts';
import { drainSeconds } from '../domain/operations/forecast.ts';
import { countParked, oldestOpenAgeSeconds } from '../domain/operations/tenant-snapshot.ts';
import { stillKnown } from '../domain/operations/graph-facts.ts';
import {
  HOLD_REASONS,
  partialHolds,
  REMEDIES,
  remedyOfHold,
  summariseHolds,
  tenantHold,
  type Hold,
} from '../domain/hold/hold.ts';
import { toGraphFactsView } from './graph-facts-view.ts';
import { countHeldConfigurations, toHoldViews } from './hold-view.ts';
import type { Check, Readiness, Status } from '../http/response/response-schemas.ts';
import type { HealthParts } from '../http/routes/health.ts';
import { forgetGauges, type Metrics } from '../telemetry/metrics.ts';
import type { AcceptingTenant } from '../queue/accepting-tenant.ts';
import { isFull } from '../domain/operations/backlog.ts';
import { describeWeakness, inspectRedis } from '../queue/redis/health.ts';
import { refusalsOf } from '../queue/redis/connection.ts';
import { refusalOf } from '../queue/redis/refusals.ts';
import type { Tenant } from '../queue/tenant.ts';

/** A check that takes longer counts as failed. */
const CHECK_WITHIN_MS = 1500;
/** How long readiness reports that Redis denied a command, since that command may not be sent again for a while. */
const DENIED_REPORTED_MS = 60_000;
/** How long a refusal by Redis is given as the cause of failures: longer than the pause between two reconnects. */
const NOT_HERE_REPORTED_MS = 5000;
const THROTTLE_REMEDY =
  'Nothing to do: it passes by itself. Where Graph asked for an absurd time, end it with npx runstate-bridge throttle end.';
/** From this share of maxmemory an operator should act: from 95 % on submissions are refused. */
const MEMORY_WARNING = 0.9;

export type HealthSource = {
  tenant: Tenant & Partial<Pick<AcceptingTenant, 'backlogFullReason'>>;
  metrics: Metrics;
};

export type Health = Omit<HealthParts, 'isAlive'> & { status: () => Promise<Status> };

export function createHealth({ tenant, metrics }: HealthSource): Health {
  const { backlogFullReason } = tenant;

  /** Asks only while Redis is connected: in a worker, commands would otherwise queue up, more with each request. */
  async function ask<T>(question: () => Promise<T>): Promise<T> {
    if (tenant.redis.status !== 'ready') throw new Error('Redis is not connected');
    return pTimeout(question(), { milliseconds: CHECK_WITHIN_MS });
  }

  async function readiness(): Promise<Readiness> {
    try {
      const [redis, { holds, throttle }] = await ask(() =>
        Promise.all([inspectRedis(tenant.redis), tenant.budget.state(), tenant.probeWrite()]),
      );
      const denied = refusalsOf(tenant.redis).lastDenied(DENIED_REPORTED_MS);
      const weakness = describeWeakness(redis);
      const checks: Record<string, Check> = {
        redis:
          denied === null ? { ok: true, detail: 'answers' } : { ok: false, detail: `refuses a command: ${denied}` },
        durability: {
          ok: weakness === null,
          detail: weakness ?? 'always: a write is fsynced before it is acknowledged',
        },
        memory: toMemoryCheck(redis.memoryUsed),
        ...(backlogFullReason && { backlog: toBacklogCheck(backlogFullReason()) }),
        graph: toGraphCheck(holds, throttle),
      };
      if (isFull(redis.memoryUsed)) return { status: 'failing', checks };
      return { status: Object.values(checks).every(({ ok }) => ok) ? 'ok' : 'degraded', checks };
    } catch (error) {
      const waitingFor = await pTimeout(tenant.explainSilence(), { milliseconds: CHECK_WITHIN_MS }).catch(() => null);
      const why = waitingFor === null ? '' : `: waiting for ${waitingFor}`;
      return { status: 'failing', checks: { redis: { ok: false, detail: `${describeTrouble(error)}${why}` } } };
    }
  }

  /** Quotes Redis if it refused this command or a recent one; otherwise says that it does not answer. */
  function describeTrouble(error: unknown): string {
    const refusal = error instanceof Error && error.name === 'ReplyError' ? (refusalOf(error) ?? error.message) : null;
    const said = refusal ?? refusalsOf(tenant.redis).lastNotHere(NOT_HERE_REPORTED_MS);
    const trouble = said === null ? 'does not answer' : `takes no writes: ${said}`;
    return `${trouble}; submissions are refused with 503`;
  }

  /** The tenant's state, and the figures that status and gauges derive from it. */
  async function read() {
    const snapshot = await ask(tenant.readSnapshot);
    return {
      ...snapshot,
      oldestQueuedAgeSeconds: oldestOpenAgeSeconds(snapshot),
      budgetWritesPerSecond: toPerSecond(snapshot.writesPer20s),
      drainSeconds: drainSeconds(snapshot),
    };
  }

  async function status(): Promise<Status> {
    const [{ durability }, { counts, holds, parked, throttle, ...present }, facts] = await Promise.all([
      ask(() => inspectRedis(tenant.redis)),
      read(),
      ask(() => tenant.facts.read()),
    ]);
    const { queued, delivering, waiting, delivered, dead } = counts;
    const view: Status['tenants'][number] = {
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
      graph: toGraphFactsView(stillKnown(facts, present.now)),
    };
    return { tenants: [view], durability };
  }

  async function readGauges(): Promise<void> {
    const [{ counts, holds, parked, throttle, ...present }, jobs, redis] = await Promise.all([
      read(),
      ask(() => tenant.countJobs()),
      ask(() => inspectRedis(tenant.redis)),
    ]);
    forgetGauges(metrics);
    for (const status of STATUSES) metrics.deliveries.set({ status }, counts[status]);
    metrics.oldestQueuedAge.set(present.oldestQueuedAgeSeconds);
    metrics.budgetWritesPerSecond.set(present.budgetWritesPerSecond);
    metrics.drainSeconds.set(present.drainSeconds);
    const heldConfigurations = countHeldConfigurations(holds);
    for (const reason of HOLD_REASONS) {
      const isHeld = holds.some((hold) => hold.hardwareConfigurationId === null && hold.reason === reason);
      metrics.held.set({ reason }, isHeld ? 1 : 0);
      metrics.heldConfigurations.set({ reason }, heldConfigurations.get(reason) ?? 0);
    }
    metrics.heldDeliveries.set(countParked(parked));
    metrics.held.set({ reason: 'throttled' }, throttle === null ? 0 : 1);
    for (const [state, count] of Object.entries(jobs)) metrics.queueJobs.set({ state }, count);
    if (redis.memoryUsed !== null) metrics.redisMemory.set(redis.memoryUsed);
    if (redis.durability !== 'unknown') metrics.durable.set(describeWeakness(redis) === null ? 1 : 0);
    metrics.redisUp.set(1);
  }

  return {
    readiness,
    status,
    metrics: async () => {
      // Without Redis, the gauges that are read from it are absent; the process's own metrics are still served.
      await readGauges().catch(() => {
        forgetGauges(metrics);
        metrics.redisUp.set(0);
      });
      return { contentType: metrics.registry.contentType, text: await metrics.registry.metrics() };
    },
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

function toBacklogCheck(fullReason: string | null): Check {
  if (fullReason === null) return { ok: true, detail: 'has room' };
  return { ok: false, detail: `${fullReason}; submissions are refused with 429 until there is room` };
}

const toIso = (at: number) => new Date(at).toISOString();
