// What a process says of itself: readiness by checks, and the gauges a scrape reads.
import { within } from './deadline.ts';
import { STATUSES } from './domain/delivery.ts';
import { HOLD_REASONS, REMEDIES } from './domain/hold.ts';
import type { Check, HealthParts, Readiness } from './http/health.ts';
import type { Metrics } from './metrics.ts';
import { describeWeakness, inspectRedis } from './queue/health.ts';
import type { TenantQueue } from './queue/tenant.ts';

/** A check that takes longer has failed. */
const CHECK_WITHIN_MS = 1500;
const WINDOW_S = 20;

export function createHealth(
  queue: TenantQueue,
  metrics: Metrics,
  writesPer20s: number,
  clock: () => number,
): HealthParts {
  async function readiness(): Promise<Readiness> {
    try {
      const [redis, { hold, throttledUntil }] = await within(
        Promise.all([inspectRedis(queue.redis), queue.budget.state()]),
        CHECK_WITHIN_MS,
      );
      const weakness = describeWeakness(redis);
      const checks: Record<string, Check> = {
        redis: { ok: true, detail: 'answers' },
        durability: {
          ok: weakness === null,
          detail: weakness ?? 'always: a write is fsynced before it is acknowledged',
        },
        graph: hold
          ? {
              ok: false,
              detail: `held since ${toIso(hold.since)}: ${hold.reason}: ${hold.detail}. ${REMEDIES[hold.reason]}`,
            }
          : { ok: true, detail: throttledUntil === null ? 'not held' : `throttled until ${toIso(throttledUntil)}` },
      };
      return { status: Object.values(checks).every(({ ok }) => ok) ? 'ok' : 'degraded', checks };
    } catch {
      return {
        status: 'failing',
        checks: { redis: { ok: false, detail: 'does not answer; submissions are refused with 503' } },
      };
    }
  }

  async function readGauges(): Promise<void> {
    const [counts, oldestAt, { hold, throttledUntil }] = await within(
      Promise.all([queue.deliveries.counts(), queue.deliveries.oldestOpenAt(), queue.budget.state()]),
      CHECK_WITHIN_MS,
    );
    for (const status of STATUSES) metrics.deliveries.set({ status }, counts[status]);
    metrics.oldestQueuedAge.set(oldestAt === null ? 0 : Math.max(0, clock() - oldestAt) / 1000);
    metrics.budgetWritesPerSecond.set(writesPer20s / WINDOW_S);
    metrics.drainSeconds.set((counts.queued + counts.delivering + counts.waiting) / (writesPer20s / WINDOW_S));
    for (const reason of HOLD_REASONS) metrics.held.set({ reason }, hold?.reason === reason ? 1 : 0);
    metrics.held.set({ reason: 'throttled' }, throttledUntil === null ? 0 : 1);
  }

  return {
    readiness,
    metrics: async () => {
      // Without Redis the gauges keep their last values; the process's own metrics still matter.
      await readGauges().catch(() => undefined);
      return { contentType: metrics.registry.contentType, text: await metrics.registry.metrics() };
    },
  };
}

const toIso = (at: number) => new Date(at).toISOString();
