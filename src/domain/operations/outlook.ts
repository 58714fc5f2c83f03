// The state of a bridge as one headline: what is wrong, why, and what to do about it.
import type { Flow } from './flow.ts';
import { WINDOW_MS } from '../pace/per-window.ts';
import { partialHolds, REMEDIES, remedyOfHold, summariseHolds, tenantHold, type Hold } from '../hold/hold.ts';
import type { BacklogState } from './backlog.ts';
import { drainSeconds } from './forecast.ts';
import { countKeptBack, countOpen, type TenantSnapshot } from './tenant-snapshot.ts';

/** From worst to best. `held`, `full`, `still` and `partly-held` need a person; the others do not. */
export type OutlookKind = 'held' | 'full' | 'still' | 'partly-held' | 'throttled' | 'flowing' | 'idle';

export type Outlook = { kind: OutlookKind; headline: string; why: string; todo: string };

/** What a process observed of a tenant over time, in addition to its snapshot. */
export type Observations = {
  flow: Flow;
  /** Since when nothing was tried although deliveries were waiting; null if something was tried. */
  stillSince: number | null;
  backlog: BacklogState;
};

const HEADLINES_OF_FULL = {
  failures: 'Nearly full: only failed runs are accepted',
  none: 'Full: new run results are refused',
};
const WHO_WAITS = {
  failures:
    'The last room is kept for failed runs (fail, scriptError). All other devices hear 429 and have to send again later.',
  none: 'Devices hear 429 and have to send again later.',
};
const NOTHING = 'Nothing.';
/** Throttling this short is normal while the pace is being learned. */
const SHORT_MS = 10_000;
const STILL_AFTER_MS = 30_000;

/** Describes the state of the bridge by its most severe problem. */
export function describeOutlook(snapshot: TenantSnapshot, observations: Observations): Outlook {
  const { now, counts, holds, throttle } = snapshot;
  const { flow, stillSince, backlog } = observations;
  const { dead } = counts;
  const open = countOpen(counts);
  const hold = tenantHold(holds);
  if (hold) {
    return {
      kind: 'held',
      headline: 'Held: nobody calls Graph',
      why: `${sentence(hold.detail)} ${count(open)} wait. Devices can still submit; everything they send is kept.`,
      todo: `${REMEDIES[hold.reason]} ${probing(hold.probeAt, now)}`,
    };
  }
  if (backlog.room !== 'all') {
    return {
      kind: 'full',
      headline: HEADLINES_OF_FULL[backlog.room],
      why: `${sentence(backlog.reason)} ${WHO_WAITS[backlog.room]} What was accepted is kept.`,
      todo: 'Let the backlog drain, or give Redis more memory or MAX_BACKLOG_… more room.',
    };
  }
  if (stillSince !== null && isStill(snapshot, stillSince)) {
    return {
      kind: 'still',
      headline: 'Nothing moves: no worker takes what waits',
      why: `${count(open)} wait, nothing holds them, and nothing was tried for ${duration(now - stillSince)}.`,
      todo: 'See that a worker process runs and reaches the same Redis: ask its /readyz (port 8081 unless WORKER_PORT says otherwise), and read its log.',
    };
  }
  const [first, ...others] = summariseHolds(partialHolds(holds));
  if (first) return describePartlyHeld(snapshot, first, others.length);
  if (throttle && (flow.outPerSecond === 0 || throttle.until - now > SHORT_MS)) {
    return {
      kind: 'throttled',
      headline: 'Graph asked everyone to wait',
      why: `It throttles for ${duration(throttle.until - now)} more. ${count(open)} wait.`,
      todo: 'Nothing: it passes by itself. If it comes back all the time, something else uses the same app registration.',
    };
  }
  if (open === 0 && flow.inPerSecond === 0) {
    const headline = dead === 0 ? 'All delivered: nothing waits' : 'Nothing waits, but some gave up';
    return { kind: 'idle', headline, why: 'Nobody submits just now.', todo: seeDead(dead) };
  }
  return { kind: 'flowing', headline: 'Results flow', why: describeFlow(snapshot), todo: seeDead(dead) };
}

function describePartlyHeld(snapshot: TenantSnapshot, first: Hold, otherHolds: number): Outlook {
  const parked = countKeptBack(snapshot);
  const others = Math.max(0, countOpen(snapshot.counts) - parked);
  const flowing =
    others === 0
      ? 'Everything else is in Graph.'
      : `${count(others)} of others wait, about ${duration(drainSeconds(snapshot) * 1000)} at the present pace.`;
  const kept = parked === 0 ? '' : `${count(parked)} ${parked === 1 ? 'is' : 'are'} kept back for it. `;
  return {
    kind: 'partly-held',
    headline: whatIsHeld(first, otherHolds),
    why: `${first.hardwareConfigurationId ?? 'lookups'}: ${first.reason}. ${sentence(first.detail)} ${kept}${flowing}`,
    todo: `${remedyOfHold(first)} ${probing(first.probeAt, snapshot.now)}`,
  };
}

function whatIsHeld({ hardwareConfigurationId }: Hold, otherHolds: number): string {
  if (hardwareConfigurationId === null) return 'Lookups are held; creates flow';
  if (otherHolds === 0) return 'One hardware configuration is held; all others flow';
  return `${1 + otherHolds} hardware configurations are held; all others flow`;
}

/** At a slow pace creates are rare, so at least three slots must have passed unused. */
function isStill(snapshot: TenantSnapshot, stillSince: number): boolean {
  const afterMs = Math.max(STILL_AFTER_MS, (3 * WINDOW_MS) / snapshot.writesPer20s);
  return snapshot.counts.queued > countKeptBack(snapshot) && snapshot.now - stillSince >= afterMs;
}

function describeFlow(snapshot: TenantSnapshot): string {
  const open = countOpen(snapshot.counts);
  if (open === 0) return 'Everything that came in is in Graph.';
  return `${count(open)} wait, and are in Graph in about ${duration(drainSeconds(snapshot) * 1000)} at the present pace.`;
}

const seeDead = (dead: number) =>
  dead === 0 ? NOTHING : `${count(dead)} gave up. See below, under dead letters, what each cause needs.`;

const count = (deliveries: number) =>
  deliveries === 1 ? '1 run result' : `${deliveries.toLocaleString('en')} run results`;

const sentence = (text: string) => {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
};

function probing(probeAt: number, now: number): string {
  const when = probeAt > now ? `the next one in ${duration(probeAt - now)}` : 'one is on its way';
  return `A probe finds out by itself when it is fixed, ${when}; then everything flows again.`;
}

/** A duration in human-readable form. */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 72 ? `${hours} h` : `${Math.round(hours / 24)} days`;
}
