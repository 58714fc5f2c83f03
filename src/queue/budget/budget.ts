// The request budget that all workers of a tenant share, including throttling and holds. Runs on Redis's clock.
import { requestsPer20s } from '../../domain/pace/request-limit.ts';
import { configurationKey, type HoldKey, type HoldReason } from '../../domain/hold/hold.ts';
import type { Backoff } from '../../domain/attempt/retry-policy.ts';
import { LONGEST_PROBE_INTERVAL } from '../../domain/hold/judge.ts';
import type { TenantSnapshot } from '../../domain/operations/tenant-snapshot.ts';
import { createPace, PACE_MEMBERS, rate, type Pace } from '../../domain/pace/pace.ts';
import { WINDOW_MS } from '../../domain/pace/tuning.ts';
import { createHolds, type Holds } from './holds.ts';
import type { Keys } from '../redis/keys.ts';
import type { RedisConnection } from '../redis/connection.ts';
import { PACE_FIELDS } from '../lua/constants.ts';
import { scriptOf } from '../redis/script.ts';

/** Graph limits writes, and all requests together. */
export type RequestKind = 'write' | 'read';

/** The delivery that asks for a permit; null for a further page of a listing, within an attempt that has a permit. */
export type Asking = { id: string; hardwareConfigurationId: string } | null;

/** Permission to send one request, as the probe of these holds. `hadFailures`: requests failed before, so record success. */
export type Permit = { granted: true; probes: HoldKey[]; hadFailures: boolean };

/** Not yet: ask again after `waitMs`. */
export type Denied = { granted: false; waitMs: number; reason: 'pace' | 'throttled' | 'moving' | HoldReason };

/** The delivery's configuration is held, so it must make room for others. */
export type Held = { granted: false; heldBy: HoldKey };

/** A request that Graph throttled. 0 ≤ `random` < 1. */
type ThrottledRequest = { kind: RequestKind; isProbe: boolean; retryAfterMs: number | null; random: number };

export type Budget = Pick<Holds, 'judge' | 'giveBack'> & {
  /**
   * Takes the next slot if it is due. Slots are evenly spaced across all workers. Write slots follow the learned pace;
   * reads use what writes leave of Graph's limit on all requests, which is at least a tenth of it.
   */
  acquire: (kind: RequestKind, asking: Asking) => Promise<Permit | Denied | Held>;
  /**
   * Graph throttles: no slots are taken until the wait ends. A refused write also adjusts the pace, unless it was a probe.
   * @returns how long all workers wait
   */
  throttle: (request: ThrottledRequest) => Promise<number>;
  /** Lets an operator end throttling early. @returns until when it would have lasted; null if there was none */
  endThrottle: () => Promise<number | null>;
  /** A request succeeded after others were refused, so the next throttling starts with a short wait again. */
  endBackoff: () => Promise<void>;
  /** Current holds and throttling, the number of parked deliveries, and the learned pace. */
  state: () => Promise<BudgetState>;
};

export type BudgetState = Pick<TenantSnapshot, 'holds' | 'parked' | 'throttle' | 'writesPer20s'>;

export type BudgetSettings = {
  /** The initial pace. */
  writesPer20s: number;
  /** Delay before a hold's first probe. */
  holdProbeMs: number;
  /** How long a probe may be in flight; until its outcome is known, no other probe is sent. */
  probeTimeoutMs: number;
  /** The wait after throttling without Retry-After. */
  backoff: Backoff;
};

/** The last instant of a JavaScript Date. Longer waits are obeyed, but reported as ending then. */
const LAST_INSTANT_MS = 8.64e15;
/** 2 % below the limit, because latency jitter may put one request too many into a window. */
const USED_SHARE = 0.98;

export type BudgetParts = { redis: RedisConnection; keys: Keys; settings: BudgetSettings; clock: () => number };

/** The budget of one tenant. */
export function createBudget({ redis, keys, settings, clock }: BudgetParts): Budget {
  const acquireScript = scriptOf(redis, 'budget/acquire-permit');
  const throttleScript = scriptOf(redis, 'budget/throttle');
  const endThrottleScript = scriptOf(redis, 'budget/end-throttle');
  const endBackoffScript = scriptOf(redis, 'budget/end-backoff');
  const holds = createHolds(redis, keys, settings.holdProbeMs);

  const requestIntervalUs = (WINDOW_MS * 1000) / (requestsPer20s(settings.writesPer20s) * USED_SHARE);
  const longestProbeMs = Math.max(settings.probeTimeoutMs, settings.holdProbeMs * LONGEST_PROBE_INTERVAL);

  return {
    judge: holds.judge,
    giveBack: holds.giveBack,
    acquire: async (kind, asking) => {
      const reply = (await acquireScript(
        [keys.budget, keys.holds, keys.probes],
        [
          kind,
          settings.writesPer20s,
          requestIntervalUs,
          settings.probeTimeoutMs,
          longestProbeMs,
          asking?.id ?? '',
          asking ? configurationKey(asking.hardwareConfigurationId) : '',
        ],
      )) as [number, number, string];
      const [granted, number, text] = reply;
      if (granted === 1) {
        return { granted: true, hadFailures: number === 1, probes: text.split(' ').filter(Boolean) as HoldKey[] };
      }
      if (number < 0) return { granted: false, heldBy: text as HoldKey };
      return { granted: false, waitMs: number, reason: text as Denied['reason'] };
    },
    throttle: async ({ kind, isProbe, retryAfterMs, random }) => {
      const { baseMs, capMs } = settings.backoff;
      const teach = kind === 'write' && !isProbe ? 'teach' : '';
      const args = [retryAfterMs ?? -1, random, baseMs, capMs, teach, settings.writesPer20s];
      return Number(await throttleScript([keys.budget], args));
    },
    endThrottle: async () => {
      const until = await endThrottleScript([keys.budget], []);
      return until === null ? null : Math.min(Number(until), LAST_INSTANT_MS);
    },
    endBackoff: async () => {
      await endBackoffScript([keys.budget], []);
    },
    state: async () => {
      const [list, parked, fields] = await Promise.all([
        holds.list(),
        holds.countParked(),
        redis.hmget(keys.budget, 'throttledAt', 'throttledUntil', ...PACE_FIELDS),
      ]);
      return {
        holds: list,
        parked: list.length === 0 ? {} : parked,
        ...toBudgetState(fields, settings.writesPer20s, clock()),
      };
    },
  };
}

/**
 * @param fields `throttledAt`, `throttledUntil` and PACE_FIELDS
 * @param startPer20s the pace until one is stored
 */
export function toBudgetState(
  [throttledAt, throttledUntil, ...pace]: readonly (string | null)[],
  startPer20s: number,
  now: number,
): Pick<BudgetState, 'throttle' | 'writesPer20s'> {
  const until = Math.min(Number(throttledUntil ?? 0) / 1000, LAST_INSTANT_MS);
  return {
    throttle: until > now ? { since: Number(throttledAt) / 1000, until } : null,
    writesPer20s: rate(toPace(pace, startPer20s, now), now),
  };
}

/** Fields not stored yet, all of them or those unknown to an older version, are taken from a new pace. */
function toPace(found: (string | null)[], startPer20s: number, now: number): Pace {
  const kept = PACE_MEMBERS.flatMap((member, index) => {
    const value = found[index] ?? null;
    return value === null ? [] : [[member, Number(value)] as const];
  });
  return { ...createPace(startPer20s, now), ...Object.fromEntries(kept), startPer20s };
}
