// The throttle budget all workers of a tenant share, and what stops them all: throttling and holds. On Redis's clock.
import { anyPer20s } from '../domain/any-limit.ts';
import type { Backoff } from '../domain/retry.ts';
import type { Hold, HoldReason } from '../domain/hold.ts';
import { FAILURES_UNTIL_HOLD } from '../domain/hold.ts';
import { createPace, PACE_MEMBERS, rate, type Pace } from '../domain/pace.ts';
import { WINDOW_MS } from '../domain/pace-tuning.ts';
import { FAILED, HOLD, LONGEST_PROBE_INTERVAL, MENDED, TAKE, THROTTLE } from './budget-scripts.ts';
import type { Keys } from './keys.ts';
import type { RedisConnection } from './redis.ts';
import { PACE_FIELDS } from './pace-script.ts';
import { defineScript } from './script.ts';

/** Graph limits writes, and requests of any kind. */
export type RequestKind = 'write' | 'read';

/** Go now (as a probe, where a hold is on), or ask again after so long. */
export type Turn =
  | { go: true; probe: HoldReason | null; troubled: boolean }
  | { go: false; waitMs: number; because: 'pace' | 'throttled' | HoldReason };

/** Whether a failure can be the delivery's own, or only the way to Graph's: a request that was not even sent. */
export type Blame = 'own' | 'way';

export type Budget = {
  /**
   * Takes the next slot if it is due. Slots are evenly spaced over all workers. Those for writes follow the learned pace;
   * reads take what writes leave of Graph's limit on requests of any kind, and writes leave them a tenth of it.
   */
  take: (kind: RequestKind) => Promise<Turn>;
  /**
   * Graph said not before: nobody takes a slot until then. A refused write teaches the pace, unless it was a probe.
   * @returns how long everyone waits
   */
  throttle: (kind: RequestKind, probing: boolean, retryAfterMs: number | null, random: number) => Promise<number>;
  /** Something did not get through for one delivery. @returns the hold this caused, once so many did not */
  failed: (
    deliveryId: string,
    reason: HoldReason,
    detail: string,
    blame: Blame,
  ) => Promise<{ hold: Hold; isNew: boolean } | null>;
  /** Holds everyone, or notes that a probe of the hold failed. @returns the hold, and whether it is new */
  hold: (reason: HoldReason, detail: string, by: 'probe' | 'in-flight') => Promise<{ hold: Hold; isNew: boolean }>;
  /** Graph took a request: what was wrong is over. @returns the hold that ended, if one was on */
  mended: (probe: HoldReason | null) => Promise<Hold | null>;
  /** What stops everyone at present, and the pace learned. */
  state: () => Promise<{ hold: Hold | null; throttle: Throttle | null; writesPer20s: number }>;
};

/** Graph's “not before”. Instants are milliseconds since 1970. */
export type Throttle = { since: number; until: number };

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

/** A fiftieth less than the limit: requests jitter on their way, and a window may catch one too many. */
const ANY_SHARE = 0.98;

/** The budget of one tenant. */
export function createBudget(
  redis: RedisConnection,
  keys: Keys,
  settings: BudgetSettings,
  clock: () => number,
): Budget {
  const script = (name: string, lua: string) => {
    const run = defineScript(redis, name, lua);
    return (...args: (string | number)[]) => run([keys.budget], args);
  };
  const takeScript = script('takeSlot', TAKE);
  const throttleScript = script('throttle', THROTTLE);
  const failedScript = script('countFailure', FAILED);
  const holdScript = script('hold', HOLD);
  const mendedScript = script('mend', MENDED);

  const anyIntervalUs = (WINDOW_MS * 1000) / (anyPer20s(settings.writesPer20s) * ANY_SHARE);

  async function hold(reason: HoldReason, detail: string, by: 'probe' | 'in-flight') {
    const [isNew, since, probes, probeAt] = (await holdScript(reason, detail, settings.holdProbeMs, by)) as [
      number,
      string,
      number,
      string,
    ];
    return { hold: toHold([reason, since, detail, String(probes), probeAt]), isNew: isNew === 1 };
  }

  return {
    hold,
    take: async (kind) => {
      const reply = (await takeScript(
        kind,
        settings.writesPer20s,
        anyIntervalUs,
        settings.probeTimeoutMs * 1000,
        Math.max(settings.probeTimeoutMs, settings.holdProbeMs * LONGEST_PROBE_INTERVAL) * 1000,
      )) as [number, number, string];
      const [go, number, reason] = reply;
      if (go === 1) return { go: true, probe: reason === '' ? null : (reason as HoldReason), troubled: number === 1 };
      return { go: false, waitMs: number, because: reason as 'pace' | 'throttled' | HoldReason };
    },
    throttle: async (kind, probing, retryAfterMs, random) => {
      const { baseMs, capMs } = settings.backoff;
      const teach = kind === 'write' && !probing ? 'teach' : '';
      return Number(await throttleScript(retryAfterMs ?? -1, random, baseMs, capMs, teach, settings.writesPer20s));
    },
    failed: async (deliveryId, reason, detail, blame) => {
      const streak = Number(await failedScript(deliveryId, blame));
      return streak < FAILURES_UNTIL_HOLD ? null : hold(reason, detail, 'in-flight');
    },
    mended: async (probe) => {
      const ended = (await mendedScript(probe ?? '')) as string[];
      return ended.length === 0 ? null : toHold(ended);
    },
    state: async () => {
      const [hold, since, detail, probes, probeAt, throttledAt, throttledUntil, ...pace] = await redis.hmget(
        keys.budget,
        'hold',
        'since',
        'detail',
        'probes',
        'probeAt',
        'throttledAt',
        'throttledUntil',
        ...PACE_FIELDS,
      );
      const until = Number(throttledUntil ?? 0) / 1000;
      return {
        hold: hold ? toHold([hold, since ?? '0', detail ?? '', probes ?? '0', probeAt ?? '0']) : null,
        throttle: until > clock() ? { since: Number(throttledAt) / 1000, until } : null,
        writesPer20s: rate(toPace(pace, settings.writesPer20s, clock()), clock()),
      };
    },
  };
}

/** A pace nobody has taken a slot from yet is a new one. */
function toPace(found: (string | null)[], startPer20s: number, now: number): Pace {
  if (found.includes(null)) return createPace(startPer20s, now);
  const members = PACE_MEMBERS.map((member, index) => [member, Number(found[index])]);
  return { ...(Object.fromEntries(members) as Pace), startPer20s };
}

function toHold([reason, since, detail, probes, probeAt]: (string | null)[]): Hold {
  return {
    reason: reason as HoldReason,
    since: Number(since) / 1000,
    detail: detail ?? '',
    probes: Number(probes),
    probeAt: Number(probeAt) / 1000,
  };
}
