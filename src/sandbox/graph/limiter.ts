// Graph's throttling as a pure function of state and time: fixed window, sliding window or token bucket.
import { addOne, forgetOld, total } from './window-count.ts';
import type { WindowCount } from './window-count.ts';
import type { RetryAfterMode } from './retry-after.ts';

/** Whether a request changes stored run states or reads them, or reads devices, which is limited apart. */
export type Access = 'write' | 'read' | 'directory';

export type LimiterSettings = {
  /**
   * `fixed-window`: counts restart every 20 s. `sliding-window`: the last 20 s, including refused calls, as Graph documents
   * it. `token-bucket`: the same average, with the full limit available at once after a rest.
   */
  kind: 'fixed-window' | 'sliding-window' | 'token-bucket';
  writesPer20s: number;
  requestsPer20s: number;
  /** The limit of the directory: resource units per 10 s, at one unit a request. Small tenants have 3,500. */
  directoryUnitsPer10s: number;
  retryAfter: RetryAfterMode;
  /** Divides the 20 s: with 10, the limits hold per 2 s. */
  timeScale: number;
};

/** The state of one limit; which part is used depends on the kind. */
type Meter = { slots: WindowCount; windowStartMs: number; used: number; tokens: number; filledAtMs: number };

export type LimiterState = { write: Meter | undefined; any: Meter | undefined; directory: Meter | undefined };

export type Admission = { kind: 'admitted' } | { kind: 'throttled'; retryAfterMs: number };

export const emptyLimiter: LimiterState = { write: undefined, any: undefined, directory: undefined };

/** Prevents computed waits from being too short by a rounding error. */
const roundingError = 1e-9;

/** The window of Intune's limits in real time. */
export function windowMs(settings: Pick<LimiterSettings, 'timeScale'>): number {
  return 20_000 / settings.timeScale;
}

type LimitedRequest = { settings: LimiterSettings; state: LimiterState; access: Access; nowMs: number };

/** Decides on one request. A write needs room in both of Intune's limits, a read only in the limit on all requests. */
export function admit({ settings, state, access, nowMs }: LimitedRequest): {
  admission: Admission;
  state: LimiterState;
} {
  if (access === 'directory') return admitDirectory(settings, state, nowMs);
  const spanMs = windowMs(settings);
  const any = measure(settings.kind, { limit: settings.requestsPer20s, spanMs }, state.any, nowMs);
  const write =
    access === 'write'
      ? measure(settings.kind, { limit: settings.writesPer20s, spanMs }, state.write, nowMs)
      : undefined;
  const waitMs = Math.max(any.waitMs, write?.waitMs ?? 0);
  const outcome = waitMs === 0 ? 'admitted' : 'refused';
  return {
    admission: waitMs === 0 ? { kind: 'admitted' } : { kind: 'throttled', retryAfterMs: waitMs },
    state: { ...state, any: any.after[outcome], write: write === undefined ? state.write : write.after[outcome] },
  };
}

function admitDirectory(settings: LimiterSettings, state: LimiterState, nowMs: number) {
  const bounds = { limit: settings.directoryUnitsPer10s, spanMs: windowMs(settings) / 2 };
  const { waitMs, after } = measure(settings.kind, bounds, state.directory, nowMs);
  const admission: Admission = waitMs === 0 ? { kind: 'admitted' } : { kind: 'throttled', retryAfterMs: waitMs };
  return { admission, state: { ...state, directory: after[waitMs === 0 ? 'admitted' : 'refused'] } };
}

type Measurement = { waitMs: number; after: Record<'admitted' | 'refused', Meter> };

function measure(
  kind: LimiterSettings['kind'],
  { limit, spanMs }: { limit: number; spanMs: number },
  before: Meter | undefined,
  nowMs: number,
): Measurement {
  const meter = before ?? { slots: [], windowStartMs: 0, used: 0, tokens: limit, filledAtMs: nowMs };
  switch (kind) {
    case 'fixed-window':
      return measureFixed(meter, limit, spanMs, nowMs);
    case 'sliding-window':
      return measureSliding(meter, limit, spanMs, nowMs);
    case 'token-bucket':
      return measureBucket(meter, limit, spanMs, nowMs);
  }
}

function measureFixed(meter: Meter, limit: number, spanMs: number, nowMs: number): Measurement {
  const windowStartMs = Math.floor(nowMs / spanMs) * spanMs;
  const used = meter.windowStartMs === windowStartMs ? meter.used : 0;
  return {
    waitMs: used < limit ? 0 : windowStartMs + spanMs - nowMs,
    after: { admitted: { ...meter, windowStartMs, used: used + 1 }, refused: { ...meter, windowStartMs, used } },
  };
}

function measureSliding(meter: Meter, limit: number, spanMs: number, nowMs: number): Measurement {
  const slots = forgetOld(meter.slots, spanMs, nowMs);
  const counted = { ...meter, slots: addOne(slots, spanMs, nowMs) };
  const after = { admitted: counted, refused: counted };
  if (total(slots) < limit) return { waitMs: 0, after };
  let surplus = total(counted.slots) - limit;
  const lastToLeave = counted.slots.find(({ count }) => (surplus -= count) < 0);
  return { waitMs: Math.max(1, (lastToLeave?.startMs ?? nowMs) + spanMs - nowMs), after };
}

function measureBucket(meter: Meter, limit: number, spanMs: number, nowMs: number): Measurement {
  const msPerToken = spanMs / limit;
  const tokens = Math.min(limit, meter.tokens + (nowMs - meter.filledAtMs) / msPerToken);
  const filled = { ...meter, tokens, filledAtMs: nowMs };
  return {
    waitMs: tokens >= 1 - roundingError ? 0 : Math.max(1, (1 - tokens) * msPerToken),
    after: { admitted: { ...filled, tokens: tokens - 1 }, refused: filled },
  };
}
