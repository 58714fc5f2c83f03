// The throttle budget all workers of a tenant share, and what stops them all: throttling and holds. On Redis's clock.
import type { Backoff } from '../domain/retry.ts';
import type { Hold, HoldReason } from '../domain/hold.ts';
import { FAILURES_UNTIL_HOLD } from '../domain/hold.ts';
import type { Keys } from './keys.ts';
import type { RedisConnection } from './redis.ts';
import { defineScript } from './script.ts';

/** Writes and reads are counted apart by Graph. */
export type RequestKind = 'write' | 'read';

/** Go now (as a probe, where a hold is on), or ask again after so long. */
export type Turn =
  | { go: true; probe: HoldReason | null; troubled: boolean }
  | { go: false; waitMs: number; because: 'pace' | 'throttled' | HoldReason };

/** Whether a failure can be the delivery's own, or only the way to Graph's: a request that was not even sent. */
export type Blame = 'own' | 'way';

export type Budget = {
  /** Takes the next slot if it is due; slots are evenly spaced over all workers. */
  take: (kind: RequestKind) => Promise<Turn>;
  /** Graph said not before: nobody takes a slot until then. @returns how long that is */
  throttle: (retryAfterMs: number | null, random: number) => Promise<number>;
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
  /** What stops everyone at present. */
  state: () => Promise<{ hold: Hold | null; throttle: Throttle | null }>;
};

/** Graph's “not before”. Instants are milliseconds since 1970. */
export type Throttle = { since: number; until: number };

export type BudgetSettings = {
  writesPer20s: number;
  /** How long the first probe of a hold waits. */
  holdProbeMs: number;
  /** How long a probe may be on its way; until its outcome is told, nobody else probes. */
  probeTimeoutMs: number;
  /** What a throttle without Retry-After waits. */
  backoff: Backoff;
};

const WINDOW_US = 20_000_000;
/** Graph's documented limit on requests of any kind, per app and tenant. */
const READS_PER_20S = 1000;

/** Probe intervals double up to so many times the first. */
const LONGEST_PROBE_INTERVAL = 15;

const NOW = `
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local function ms(us) return math.ceil(us / 1000) end
local function number(text) return string.format('%.0f', text) end`;

const TAKE = `${NOW}
local budget = redis.call('HMGET', KEYS[1], 'hold', 'probeAt', 'throttledUntil', ARGV[1], 'streak', 'throttles')
local throttledUntil = tonumber(budget[3] or 0)
if now < throttledUntil then return {0, ms(throttledUntil - now), 'throttled'} end
local hold = budget[1] or ''
if hold ~= '' then
  local probeAt = math.min(tonumber(budget[2]), now + ARGV[4])
  if now < probeAt then return {0, ms(probeAt - now), hold} end
  redis.call('HSET', KEYS[1], 'probeAt', number(now + ARGV[3]))
  return {1, 1, hold}
end
local interval = tonumber(ARGV[2])
-- Redis's clock may have stepped back: no slot is further away than one interval.
local at = math.min(tonumber(budget[4] or 0), now + interval)
if now < at then return {0, ms(at - now), 'pace'} end
redis.call('HSET', KEYS[1], ARGV[1], number(math.max(at, now - interval) + interval))
return {1, (budget[5] or budget[6]) and 1 or 0, ''}`;

const THROTTLE = `${NOW}
local until_, throttles = unpack(redis.call('HMGET', KEYS[1], 'throttledUntil', 'throttles'))
until_, throttles = tonumber(until_ or 0), tonumber(throttles or 0)
if now >= until_ then
  throttles = throttles + 1
  redis.call('HSET', KEYS[1], 'throttles', throttles, 'throttledAt', number(now))
end
local wait = tonumber(ARGV[1])
if wait < 0 then wait = ARGV[2] * math.min(ARGV[4], ARGV[3] * 2 ^ math.min(throttles - 1, 30)) end
until_ = math.max(until_, now + wait * 1000)
redis.call('HSET', KEYS[1], 'throttledUntil', number(until_))
return ms(until_ - now)`;

/** Counts failures in a row. One that may be the delivery's own counts once: it may fail for ever while all others work. */
const FAILED = `
if ARGV[2] == 'own' and redis.call('HGET', KEYS[1], 'failedBy') == ARGV[1] then return redis.call('HGET', KEYS[1], 'streak') end
redis.call('HSET', KEYS[1], 'failedBy', ARGV[1])
return redis.call('HINCRBY', KEYS[1], 'streak', 1)`;

const HOLD = `${NOW}
local known = redis.call('HMGET', KEYS[1], 'hold', 'since', 'probes')
local same = known[1] == ARGV[1]
if same and ARGV[4] == 'in-flight' then return {0, known[2], tonumber(known[3]), redis.call('HGET', KEYS[1], 'probeAt')} end
local since = same and known[2] or number(now)
local probes = same and known[3] + 1 or 0
local probeAt = number(now + ARGV[3] * math.min(${LONGEST_PROBE_INTERVAL}, 2 ^ math.min(probes, 4)) * 1000)
redis.call('HSET', KEYS[1], 'hold', ARGV[1], 'since', since, 'detail', ARGV[2], 'probes', probes, 'probeAt', probeAt)
return {same and 0 or 1, since, probes, probeAt}`;

const MENDED = `
local hold = redis.call('HMGET', KEYS[1], 'hold', 'since', 'detail', 'probes', 'probeAt')
if hold[1] and hold[1] ~= ARGV[1] then return {} end
redis.call('HDEL', KEYS[1], 'hold', 'since', 'detail', 'probes', 'probeAt', 'streak', 'failedBy', 'throttles')
return hold[1] and hold or {}`;

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

  const slots: Record<RequestKind, [string, number]> = {
    write: ['nextWriteAt', WINDOW_US / settings.writesPer20s],
    read: ['nextReadAt', WINDOW_US / READS_PER_20S],
  };

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
      const [field, intervalUs] = slots[kind];
      const reply = (await takeScript(
        field,
        intervalUs,
        settings.probeTimeoutMs * 1000,
        Math.max(settings.probeTimeoutMs, settings.holdProbeMs * LONGEST_PROBE_INTERVAL) * 1000,
      )) as [number, number, string];
      const [go, number, reason] = reply;
      if (go === 1) return { go: true, probe: reason === '' ? null : (reason as HoldReason), troubled: number === 1 };
      return { go: false, waitMs: number, because: reason as 'pace' | 'throttled' | HoldReason };
    },
    throttle: async (retryAfterMs, random) =>
      Number(await throttleScript(retryAfterMs ?? -1, random, settings.backoff.baseMs, settings.backoff.capMs)),
    failed: async (deliveryId, reason, detail, blame) => {
      const streak = Number(await failedScript(deliveryId, blame));
      return streak < FAILURES_UNTIL_HOLD ? null : hold(reason, detail, 'in-flight');
    },
    mended: async (probe) => {
      const ended = (await mendedScript(probe ?? '')) as string[];
      return ended.length === 0 ? null : toHold(ended);
    },
    state: async () => {
      const [hold, since, detail, probes, probeAt, throttledAt, throttledUntil] = await redis.hmget(
        keys.budget,
        'hold',
        'since',
        'detail',
        'probes',
        'probeAt',
        'throttledAt',
        'throttledUntil',
      );
      const until = Number(throttledUntil ?? 0) / 1000;
      return {
        hold: hold ? toHold([hold, since ?? '0', detail ?? '', probes ?? '0', probeAt ?? '0']) : null,
        throttle: until > clock() ? { since: Number(throttledAt) / 1000, until } : null,
      };
    },
  };
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
