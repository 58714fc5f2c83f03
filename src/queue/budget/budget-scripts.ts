// What the budget does to its hash, each in one step on Redis's clock: a slot, a throttle, the end of one.
import { HOLD_LUA } from './hold-scripts.ts';
import { PACE } from './pace-script.ts';

/** Writes do not wait for the slots of any kind, so reads may find them taken for a while; further ahead the clock is wrong. */
const FURTHEST_SLOT_US = 1_000_000;

/** Instants of the budget are microseconds, those of the pace milliseconds. */
const NOW = `
local time = redis.call('TIME')
local now, nowMs = time[1] * 1000000 + time[2], time[1] * 1000 + time[2] / 1000
local function ms(us) return math.ceil(us / 1000) end
local function number(text) return string.format('%.0f', text) end`;

/**
 * KEYS: budget, holds, probes. ARGV: read or write, writes per 20 s configured, microseconds per request of any kind,
 * milliseconds until a probe counts as lost, milliseconds to the next probe at most, delivery id, its configuration's key;
 * the last two are empty for a further page of a listing, which belongs to an attempt that has its permit.
 * Answers {1, whether failures are counted, holds it is a probe of}, {0, milliseconds to wait, why},
 * or {0, -1, the configuration's hold}.
 */
export const TAKE = `${NOW}
${PACE}
${HOLD_LUA}
local id, configuration = ARGV[6], ARGV[7]
local holding, probing, failures = {}, {}, 0
local operation = ARGV[1] == 'write' and 'create' or 'look'
local own = operation .. ':' .. configuration
if id ~= '' then
  local found = redis.call('HMGET', KEYS[2], 'h:' .. own, 'h:' .. operation, 'h:any', 's:' .. own, 's:' .. operation, 's:any')
  if found[1] then
    local hold = cjson.decode(found[1])
    if hold.probe ~= id then return {0, -1, own}, false end
    probing[own] = hold
  end
  if found[2] then holding[operation] = cjson.decode(found[2]) end
  if found[3] then holding.any = cjson.decode(found[3]) end
  failures = (found[4] or found[5] or found[6]) and 1 or 0
end
local budget = redis.call('HMGET', KEYS[1], 'throttledUntil', 'throttledAt', 'nextAnyAt', 'throttles')
local throttledUntil = tonumber(budget[1] or 0)
-- Redis's clock may have stepped back: whatever lies further ahead than it was meant to is moved back with it.
local steppedBack = throttledUntil > now and budget[2] - now or 0
if steppedBack > 0 then
  throttledUntil = throttledUntil - steppedBack
  redis.call('HSET', KEYS[1], 'throttledAt', number(now), 'throttledUntil', number(throttledUntil))
end
if now < throttledUntil then return {0, ms(throttledUntil - now), 'throttled'}, false end
local waitMs, reason = 0, ''
for key, hold in pairs(holding) do
  local probeAt = math.min(hold.probeAt, nowMs + ARGV[5])
  -- A configuration that has not failed itself need not wait for those that have, unless a probe is on its way.
  if not probing[own] and hold.probe == cjson.null then probeAt = math.min(probeAt, hold.tryOthersAt) end
  if probeAt - nowMs > waitMs then waitMs, reason = probeAt - nowMs, hold.reason end
  probing[key] = hold
end
if waitMs > 0 and probing[own] then
  -- It must not stand in the way of others that may go before it.
  claim(KEYS[2], KEYS[3], own, probing[own], cjson.null, math.floor(nowMs + waitMs))
  return {0, -1, own}
end
if waitMs > 0 then return {0, math.ceil(waitMs), reason}, false end
if not next(holding) then
  local anyAt = math.min(tonumber(budget[3] or 0), now + ${FURTHEST_SLOT_US})
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
end
local keys = {}
for key, hold in pairs(probing) do
  keys[#keys + 1] = key
  claim(KEYS[2], KEYS[3], key, hold, id, math.floor(nowMs) + ARGV[4])
end
return {1, (failures == 1 or budget[4]) and 1 or 0, table.concat(keys, ' ')}`;

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
