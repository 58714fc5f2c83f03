// What the budget does to its hash, each in one step on Redis's clock: a slot, a throttle, a failure, a hold, a mend.
import { PACE } from './pace-script.ts';

/** Probe intervals double up to so many times the first. */
export const LONGEST_PROBE_INTERVAL = 15;

/** Writes do not wait for the slots of any kind, so reads may find them taken for a while; further ahead the clock is wrong. */
const FURTHEST_SLOT_US = 1_000_000;

/** Instants of the budget are microseconds, those of the pace milliseconds. */
const NOW = `
local time = redis.call('TIME')
local now, nowMs = time[1] * 1000000 + time[2], time[1] * 1000 + time[2] / 1000
local function ms(us) return math.ceil(us / 1000) end
local function number(text) return string.format('%.0f', text) end`;

/** ARGV: read or write, writes per 20 s configured, microseconds per request of any kind, of a probe, to the next at most. */
export const TAKE = `${NOW}
${PACE}
local budget = redis.call('HMGET', KEYS[1], 'hold', 'probeAt', 'throttledUntil', 'throttledAt', 'nextAnyAt', 'streak', 'throttles')
local throttledUntil = tonumber(budget[3] or 0)
-- Redis's clock may have stepped back: whatever lies further ahead than it was meant to is moved back with it.
local steppedBack = throttledUntil > now and budget[4] - now or 0
if steppedBack > 0 then
  throttledUntil = throttledUntil - steppedBack
  redis.call('HSET', KEYS[1], 'throttledAt', number(now), 'throttledUntil', number(throttledUntil))
end
if now < throttledUntil then return {0, ms(throttledUntil - now), 'throttled'}, false end
local hold = budget[1] or ''
if hold ~= '' then
  local probeAt = math.min(tonumber(budget[2]), now + ARGV[5])
  if now < probeAt then return {0, ms(probeAt - now), hold}, false end
  redis.call('HSET', KEYS[1], 'probeAt', number(now + ARGV[4]))
  return {1, 1, hold}
end
local anyAt = math.min(tonumber(budget[5] or 0), now + ${FURTHEST_SLOT_US})
if ARGV[1] == 'write' then
  local p = load(KEYS[1], tonumber(ARGV[2]), nowMs)
  if rewind(p, nowMs) then save(KEYS[1], p) end
  if nowMs < p.slotAt then return {0, math.ceil(p.slotAt - nowMs), 'pace'}, false end
  grant(p, nowMs)
  save(KEYS[1], p)
elseif now < anyAt then
  return {0, ms(anyAt - now), 'pace'}, false
end
redis.call('HSET', KEYS[1], 'nextAnyAt', number(math.max(anyAt, now - ARGV[3]) + ARGV[3]))
return {1, (budget[6] or budget[7]) and 1 or 0, ''}`;

/** ARGV: milliseconds told or −1, random, first and longest backoff, whether it teaches the pace, writes per 20 s configured. */
export const THROTTLE = `${NOW}
${PACE}
local until_, throttles = unpack(redis.call('HMGET', KEYS[1], 'throttledUntil', 'throttles'))
until_, throttles = tonumber(until_ or 0), tonumber(throttles or 0)
if now >= until_ then
  throttles = throttles + 1
  redis.call('HSET', KEYS[1], 'throttles', throttles, 'throttledAt', number(now))
end
-- Told to wait no time, again and again, is told nothing: nobody waits less than with no word at all.
local backoff = ARGV[2] * math.min(ARGV[4], ARGV[3] * 2 ^ math.min(throttles - 1, 30))
local told = tonumber(ARGV[1]) >= backoff
local wait = told and tonumber(ARGV[1]) or backoff
until_ = math.max(until_, now + wait * 1000)
redis.call('HSET', KEYS[1], 'throttledUntil', number(until_))
if ARGV[5] == 'teach' then
  local p = load(KEYS[1], tonumber(ARGV[6]), nowMs)
  throttle(p, nowMs, wait, told)
  save(KEYS[1], p)
end
return ms(until_ - now)`;

/** Counts failures in a row. One that may be the delivery's own counts once: it may fail for ever while all others work. */
export const FAILED = `
if ARGV[2] == 'own' and redis.call('HGET', KEYS[1], 'failedBy') == ARGV[1] then return redis.call('HGET', KEYS[1], 'streak'), false end
redis.call('HSET', KEYS[1], 'failedBy', ARGV[1])
return redis.call('HINCRBY', KEYS[1], 'streak', 1)`;

export const HOLD = `${NOW}
local known = redis.call('HMGET', KEYS[1], 'hold', 'since', 'probes')
local same = known[1] == ARGV[1]
if same and ARGV[4] == 'in-flight' then return {0, known[2], tonumber(known[3]), redis.call('HGET', KEYS[1], 'probeAt')}, false end
local since = same and known[2] or number(now)
local probes = same and known[3] + 1 or 0
local probeAt = number(now + ARGV[3] * math.min(${LONGEST_PROBE_INTERVAL}, 2 ^ math.min(probes, 4)) * 1000)
redis.call('HSET', KEYS[1], 'hold', ARGV[1], 'since', since, 'detail', ARGV[2], 'probes', probes, 'probeAt', probeAt)
return {same and 0 or 1, since, probes, probeAt}`;

export const MENDED = `
local hold = redis.call('HMGET', KEYS[1], 'hold', 'since', 'detail', 'probes', 'probeAt')
if hold[1] and hold[1] ~= ARGV[1] then return {}, false end
redis.call('HDEL', KEYS[1], 'hold', 'since', 'detail', 'probes', 'probeAt', 'streak', 'failedBy', 'throttles')
return hold[1] and hold or {}`;
