// The throttle budget all workers of a tenant share, and what stops them all: throttling and holds. On Redis's clock.
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

/** Graph limits writes, and requests of any kind. */
export type RequestKind = 'write' | 'read';

/** Whose attempt a permit is for; null for a further page of a listing, which belongs to an attempt that has its permit. */
export type Asking = { id: string; hardwareConfigurationId: string } | null;

/** Leave to send one request, as the probe of these holds. `hadFailures`: success is to be noted, since requests failed before. */
export type Permit = { granted: true; probes: HoldKey[]; hadFailures: boolean };

/** Not yet: ask again after `waitMs`. */
export type Denied = { granted: false; waitMs: number; reason: 'pace' | 'throttled' | HoldReason };

/** The delivery's configuration is held: it has to make room for others. */
export type Held = { granted: false; heldBy: HoldKey };

export type Budget = Pick<Holds, 'judge' | 'giveBack'> & {
  /**
   * Takes the next slot if it is due. Slots are evenly spaced over all workers. Those for writes follow the learned pace;
   * reads take what writes leave of Graph's limit on requests of any kind, and writes leave them a tenth of it.
   */
  acquire: (kind: RequestKind, asking: Asking) => Promise<Permit | Denied | Held>;
  /**
   * Graph said not before: nobody takes a slot until then. A refused write teaches the pace, unless it was a probe.
   * @returns how long everyone waits
   */
  throttle: (kind: RequestKind, probing: boolean, retryAfterMs: number | null, random: number) => Promise<number>;
  /** An operator knows better than Graph's Retry-After. @returns until when it would have lasted; null where there is none */
  endThrottle: () => Promise<number | null>;
  /** A request was carried out after others were refused: the next throttling begins with a short wait again. */
  endBackoff: () => Promise<void>;
  /** What stops everyone or one configuration at present, how many deliveries that keeps parked, and the pace learned. */
  state: () => Promise<BudgetState>;
};

export type BudgetState = Pick<TenantSnapshot, 'holds' | 'parked' | 'throttle' | 'writesPer20s'>;

export type BudgetSettings = {
  /** Where the pace starts. */
  writesPer20s: number;
  /** How long the first probe of a hold waits. */
  holdProbeMs: number;
  /** How long a probe may be on its way; until its outcome is told, nobody else probes. */
  probeTimeoutMs: number;
  /** What a throttle without Retry-After waits. */
  backoff: Backoff;
};

/** JavaScript's last: whoever asks for longer is obeyed, and told of as far as can be said. */
const LAST_INSTANT_MS = 8.64e15;
/** A fiftieth less than the limit: requests jitter on their way, and a window may catch one too many. */
const USED_SHARE = 0.98;

/** The budget of one tenant. */
export function createBudget(
  redis: RedisConnection,
  keys: Keys,
  settings: BudgetSettings,
  clock: () => number,
): Budget {
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
    throttle: async (kind, probing, retryAfterMs, random) => {
      const { baseMs, capMs } = settings.backoff;
      const teach = kind === 'write' && !probing ? 'teach' : '';
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
      const [list, parked, [throttledAt, throttledUntil, ...pace]] = await Promise.all([
        holds.list(),
        holds.countParked(),
        redis.hmget(keys.budget, 'throttledAt', 'throttledUntil', ...PACE_FIELDS),
      ]);
      const until = Math.min(Number(throttledUntil ?? 0) / 1000, LAST_INSTANT_MS);
      return {
        holds: list,
        parked: list.length === 0 ? {} : parked,
        throttle: until > clock() ? { since: Number(throttledAt) / 1000, until } : null,
        writesPer20s: rate(toPace(pace, settings.writesPer20s, clock()), clock()),
      };
    },
  };
}

/** What nobody kept yet is as in a new pace: all of it, or what an older version did not know. */
function toPace(found: (string | null)[], startPer20s: number, now: number): Pace {
  const kept = PACE_MEMBERS.flatMap((member, index) => {
    const value = found[index] ?? null;
    return value === null ? [] : [[member, Number(value)] as const];
  });
  return { ...createPace(startPer20s, now), ...Object.fromEntries(kept), startPer20s };
}
