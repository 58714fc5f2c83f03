// Simulates workers with a shared pace and endless work against a hidden limit, event by event; measures the used share.
import { createPace, learn, rate, type Pace } from '../../src/domain/pace/pace.ts';
import { createRandom } from '../../src/sandbox/random.ts';

const WINDOW_MS = 20_000;

/** Asks a limiter for one write. @returns 0 if it is accepted, otherwise how many ms until one would be */
export type Limiter = (now: number, limitPer20s: number) => number;

export type Scenario = {
  limiter: Limiter;
  /** The hidden limit, in writes per 20 s. */
  limitAt: (now: number) => number;
  startPer20s: number;
  /** Whether refusals carry a Retry-After in whole seconds; otherwise all workers back off with full jitter. */
  retryAfter: boolean;
  seed: number;
  durationMs: number;
  /** Earlier events do not count. */
  countFromMs: number;
  workers?: number;
  medianLatencyMs?: number;
  /** When the next request is wanted after one was sent; immediately by default. */
  wantedAt?: (now: number) => number;
};

export type Simulated = {
  /** Accepted writes, as a share of what the limit allowed. */
  used: number;
  /** Refusals, as a share of all requests. */
  refused: number;
  sent: number;
  pace: Pace;
  /** The highest pace at which a slot was granted, in writes per 20 s. */
  fastest: number;
};

type Request = { at: number; answeredAt: number; afterThrottle: boolean };
type Answer = { at: number; waitMs: number; afterThrottle: boolean };

const BACKOFF_BASE_MS = 1000;
const BACKOFF_CAP_MS = 300_000;
const LATENCY_SIGMA = 0.5;
/** How late a worker's timer may be. */
const TIMER_MS = 10;

/** Counts restart with each window, `phaseMs` after the start of the simulation. */
export function fixedWindow(phaseMs: number, windowMs = WINDOW_MS): Limiter {
  let window = Number.NaN;
  let used = 0;
  return (now, limit) => {
    const current = Math.floor((now - phaseMs) / windowMs);
    if (current !== window) [window, used] = [current, 0];
    if (used >= (limit * windowMs) / WINDOW_MS) return (current + 1) * windowMs + phaseMs - now;
    used += 1;
    return 0;
  };
}

/** Counts the last window, including refused requests. */
export function slidingWindow(windowMs = WINDOW_MS): Limiter {
  let seen: number[] = [];
  return (now, limit) => {
    const gone = seen.findIndex((at) => at > now - windowMs);
    if (gone !== 0) seen = gone === -1 ? [] : seen.slice(gone);
    seen.push(now);
    const surplus = seen.length - Math.round((limit * windowMs) / WINDOW_MS);
    return surplus <= 0 ? 0 : (seen[surplus] ?? now) + windowMs - now;
  };
}

/** The same, counted in hundredths of the window like the sandbox. */
export function slidingWindowInHundredths(): Limiter {
  const slotMs = WINDOW_MS / 100;
  const slots: { startMs: number; count: number }[] = [];
  let total = 0;
  return (now, limit) => {
    while (slots[0] && slots[0].startMs <= now - WINDOW_MS) total -= slots.shift()?.count ?? 0;
    const isFull = total >= limit;
    const startMs = Math.floor(now / slotMs) * slotMs;
    const last = slots.at(-1);
    if (last?.startMs === startMs) last.count += 1;
    else slots.push({ startMs, count: 1 });
    total += 1;
    if (!isFull) return 0;
    let surplus = total - limit;
    const lastToLeave = slots.find(({ count }) => (surplus -= count) < 0);
    return Math.max(1, (lastToLeave?.startMs ?? now) + WINDOW_MS - now);
  };
}

/** Refills evenly; after a rest, `burst` × the limit is available at once. */
export function tokenBucket(burst: number): Limiter {
  let tokens = Number.POSITIVE_INFINITY;
  let filledAt = 0;
  return (now, limit) => {
    tokens = Math.min(limit * burst, tokens + ((now - filledAt) * limit) / WINDOW_MS);
    filledAt = now;
    if (tokens < 1) return ((1 - tokens) * WINDOW_MS) / limit;
    tokens -= 1;
    return 0;
  };
}

/** Refuses a random share before the limiter is asked, like refusals caused by another app or a faulty backend. */
export function withNoise(limiter: Limiter, share: number, random: () => number): Limiter {
  return (now, limit) => (random() < share ? 1000 : limiter(now, limit));
}

/** A limit that changes every 10 min: 100 → 60 → 140 → 100 … writes per 20 s. */
export function steps(now: number): number {
  return [100, 60, 140][Math.floor(now / 600_000) % 3] ?? 100;
}

/** Runs a scenario from instant 0 to its end. Only the seed makes runs differ. */
export function simulate(scenario: Scenario): Simulated {
  const { limiter, limitAt, durationMs, countFromMs, medianLatencyMs = 250, wantedAt } = scenario;
  const random = createRandom(scenario.seed);
  const onTheWay: Request[] = [];
  const answers: Answer[] = [];
  let pace = createPace(scenario.startPer20s, 0);
  let freeWorkers = scenario.workers ?? 16;
  let askAt = 0;
  let waitUntil = 0;
  let throttles = 0;
  let taken = 0;
  let sent = 0;
  let fastest = 0;

  function ask(now: number): void {
    if (now < pace.slotAt) {
      askAt = pace.slotAt + random() * TIMER_MS;
      return;
    }
    fastest = Math.max(fastest, rate(pace, now));
    pace = learn(pace, { kind: 'granted' }, now);
    const latencyMs = medianLatencyMs * Math.exp(LATENCY_SIGMA * normal(random));
    insert(onTheWay, { at: now + latencyMs / 2, answeredAt: now + latencyMs, afterThrottle: throttles > 0 });
    freeWorkers -= 1;
    askAt = Math.max(wantedAt?.(now) ?? now, pace.slotAt + random() * TIMER_MS);
  }

  function arrive({ at, answeredAt, afterThrottle }: Request): void {
    const waitMs = limiter(at, limitAt(at));
    insert(answers, { at: answeredAt, waitMs, afterThrottle });
    if (at < countFromMs) return;
    sent += 1;
    if (waitMs === 0) taken += 1;
  }

  function answer({ at, waitMs, afterThrottle }: Answer): void {
    freeWorkers += 1;
    askAt = Math.max(askAt, at);
    if (waitMs > 0) wait(at, waitMs);
    else if (afterThrottle) throttles = 0;
  }

  function wait(now: number, neededMs: number): void {
    if (now >= waitUntil) throttles += 1;
    const backoffMs = random() * Math.min(BACKOFF_CAP_MS, BACKOFF_BASE_MS * 2 ** (throttles - 1));
    waitUntil = Math.max(waitUntil, now + (scenario.retryAfter ? Math.ceil(neededMs / 1000) * 1000 : backoffMs));
    pace = learn(pace, { kind: 'throttled', waitMs: waitUntil - now, announced: scenario.retryAfter }, now);
    askAt = Math.max(askAt, waitUntil);
  }

  for (;;) {
    const nextAsk = freeWorkers > 0 ? askAt : Number.POSITIVE_INFINITY;
    const nextArrival = onTheWay[0]?.at ?? Number.POSITIVE_INFINITY;
    const nextAnswer = answers[0]?.at ?? Number.POSITIVE_INFINITY;
    const now = Math.min(nextAsk, nextArrival, nextAnswer);
    if (now >= durationMs) break;
    if (now === nextArrival) take(onTheWay, arrive);
    else if (now === nextAnswer) take(answers, answer);
    else ask(now);
  }
  const allowed = allowedBetween(limitAt, countFromMs, durationMs);
  return { used: taken / allowed, refused: (sent - taken) / sent, sent, pace, fastest };
}

function allowedBetween(limitAt: (now: number) => number, fromMs: number, toMs: number): number {
  let allowed = 0;
  for (let now = fromMs; now < toMs; now += 1000) allowed += (limitAt(now) * 1000) / WINDOW_MS;
  return allowed;
}

function take<T>(line: T[], use: (first: T) => void): void {
  const first = line.shift();
  if (first) use(first);
}

function insert<T extends { at: number }>(line: T[], added: T): void {
  const before = line.findLastIndex(({ at }) => at <= added.at);
  line.splice(before + 1, 0, added);
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}
