// The overview the dashboard shows: sampled continuously, computed at most once a second however many viewers there are.
import { countCauses, type Cause } from '../domain/operations/dead-causes.ts';
import type { Delivery } from '../domain/delivery.ts';
import { flowAt, remember, stillSince, toHistory, type Sample } from '../domain/operations/flow.ts';
import { toPerSecond } from '../domain/pace/per-window.ts';
import { drainSeconds } from '../domain/operations/forecast.ts';
import { describeGraphFacts, stillKnown } from '../domain/operations/graph-facts.ts';
import { tenantHold } from '../domain/hold/hold.ts';
import {
  countOpen,
  oldestOpenAgeSeconds,
  type Counts,
  type TenantSnapshot,
} from '../domain/operations/tenant-snapshot.ts';
import { describeOutlook } from '../domain/operations/outlook.ts';
import type { TenantDashboard } from '../http/dashboard/dashboard.ts';
import { toReplayView } from '../http/response/replay-schemas.ts';
import type { Readiness } from '../http/response/response-schemas.ts';
import { toEndedView, type Overview, type TenantSummary } from '../http/dashboard/overview.ts';
import { createAskRedis } from './ask-redis.ts';
import { toDirectoryCheck, type ReadDirectory } from './directory-view.ts';
import { toHoldViews } from './hold-view.ts';
import type { AcceptingTenant } from '../queue/accepting-tenant.ts';

type Parts = {
  tenant: AcceptingTenant;
  /** The configured pace, which the budget starts from. */
  writesPer20s: number;
  deliveredKeptMs: number;
  readiness: () => Promise<Readiness>;
  /** This tenant's own checks; readiness covers all tenants. */
  readDirectory: ReadDirectory;
};

const SAMPLE_EVERY_MS = 2000;
const HISTORY_MS = 600_000;
const FRESH_FOR_MS = 1000;
const ANSWER_WITHIN_MS = 3000;
const LATEST_LOOKED_AT = 100;
const ROWS = 8;
/** Counting causes reads dead letters: only the newest, and not for every overview. */
const CAUSES_COUNTED_IN = 500;
const CAUSES_FRESH_FOR_MS = 5000;
/** Readiness checks that the outlook does not cover, of the whole process. */
const NOTICED = ['durability', 'memory'];

/** Opens the source of what the dashboard shows of a tenant. */
export function openDashboard(parts: Parts): TenantDashboard & { close: () => void } {
  const { tenant } = parts;
  const watch = watchOverview(parts);
  return {
    overview: watch.overview,
    summary: watch.summary,
    search: tenant.deliveries.search,
    deliveredKeptMs: parts.deliveredKeptMs,
    snapshot: tenant.readSnapshot,
    close: watch.close,
  };
}

function watchOverview({ tenant, writesPer20s: startPer20s, readiness, readDirectory }: Parts) {
  const { deliveries, deadLetters } = tenant;
  const clock = tenant.clock.now;
  const askRedis = createAskRedis(tenant.redis, ANSWER_WITHIN_MS);
  let samples: Sample[] = [];
  let causes: { at: number; dead: number; counted: number; causes: Cause[] } | null = null;
  let fresh: { at: number; overview: Promise<Overview> } | null = null;

  async function sample(): Promise<void> {
    const counts = await askRedis(deliveries.counts);
    samples = remember(samples, toSample(counts, clock()), HISTORY_MS);
  }

  async function readCauses(dead: number) {
    const isFresh = causes?.dead === dead || Math.abs(clock() - (causes?.at ?? 0)) < CAUSES_FRESH_FOR_MS;
    if (causes && isFresh) return causes;
    const { deadLetters: letters } = await deadLetters.list({}, CAUSES_COUNTED_IN, null);
    causes = { at: clock(), dead, counted: letters.length, causes: countCauses(letters) };
    return causes;
  }

  async function summary(): Promise<TenantSummary> {
    const snapshot = await askRedis(tenant.readSnapshot);
    const { kind, headline } = toOutlook(snapshot, [...samples, toSample(snapshot.counts, snapshot.now)]);
    return { id: tenant.id, kind, headline, open: countOpen(snapshot.counts), dead: snapshot.counts.dead };
  }

  const toOutlook = (snapshot: TenantSnapshot, seen: readonly Sample[]) =>
    describeOutlook(snapshot, {
      flow: flowAt(seen),
      stillSince: stillSince(seen),
      backlog: tenant.backlogState(),
    });

  async function read(): Promise<Overview> {
    const snapshot = await askRedis(tenant.readSnapshot);
    const { now, counts, holds, parked } = snapshot;
    const seen = [...samples, toSample(counts, now)];
    const [ended, dead, { checks }, facts, directory, replay] = await askRedis(() =>
      Promise.all([
        ...([deliveries.latest(LATEST_LOOKED_AT), readCauses(counts.dead), readiness()] as const),
        ...([tenant.facts.read(), readDirectory(), tenant.replays.findOpen()] as const),
      ]),
    );
    const flow = flowAt(seen);
    const writesPerSecond = toPerSecond(snapshot.writesPer20s);
    return {
      at: toIso(now),
      tenantId: tenant.id,
      outlook: toOutlook(snapshot, seen),
      notices: [
        ...NOTICED.map((name) => ({ name, check: checks[name] })),
        { name: 'directory', check: directory && toDirectoryCheck(directory) },
      ].flatMap(({ name, check }) => (check?.ok === false ? `${name}: ${check.detail}` : [])),
      flow,
      history: toHistory(seen),
      counts,
      backlog: {
        open: countOpen(counts),
        oldestAgeSeconds: oldestOpenAgeSeconds(snapshot),
        drainSeconds: tenantHold(holds) ? null : drainSeconds(snapshot),
      },
      budget: {
        writesPerSecond,
        startWritesPerSecond: toPerSecond(startPer20s),
        used: Math.min(1, flow.outPerSecond / writesPerSecond),
      },
      holds: toHoldViews(holds, parked),
      graph: describeGraphFacts(stillKnown(facts, now)),
      replay: replay && toReplayView(replay),
      deadLetters: {
        total: counts.dead,
        counted: dead.counted,
        causes: dead.causes.map((cause) => ({
          ...cause,
          latestAt: cause.latestAt === null ? null : toIso(cause.latestAt),
        })),
      },
      latest: ended.slice(0, ROWS).map(toEndedView),
      slowest: slowest(ended).slice(0, ROWS).map(toEndedView),
    };
  }

  const ticking = setInterval(() => void sample().catch(() => undefined), SAMPLE_EVERY_MS);
  void sample().catch(() => undefined);

  return {
    summary,
    overview: (): Promise<Overview> => {
      const now = clock();
      if (!fresh || Math.abs(now - fresh.at) >= FRESH_FOR_MS) fresh = { at: now, overview: read() };
      return fresh.overview;
    },
    close: () => clearInterval(ticking),
  };
}

function toSample(counts: Counts, at: number): Sample {
  const { delivering, delivered, dead, superseded } = counts;
  const open = countOpen(counts);
  const ended = delivered + superseded;
  return { at, accepted: open + ended + dead, ended, dead, open, delivering };
}

const tookMs = ({ deliveredAt, acceptedAt }: Delivery) => (deliveredAt ?? acceptedAt) - acceptedAt;
const slowest = (ended: readonly Delivery[]) =>
  ended.filter(({ deliveredAt }) => deliveredAt !== null).toSorted((a, b) => tookMs(b) - tookMs(a));
const toIso = (at: number) => new Date(at).toISOString();
