--[[
  Grants one delivery permission to send one request, or says why it has to wait. While nothing is held, permits are
  evenly spaced slots: writes follow the learned pace, reads use what writes leave of Graph's limit on all requests.
  While something is held, only its probe may be sent. Before a move to another Redis no attempt begins.

  KEYS[1]  budget
  KEYS[2]  holds
  KEYS[3]  holds of configurations, by when their next probe may be chosen
  ARGV[1]  'write' or 'read'
  ARGV[2]  configured writes per 20 s
  ARGV[3]  microseconds for each request of any kind
  ARGV[4]  milliseconds until a probe counts as lost
  ARGV[5]  milliseconds until the next probe at most
  ARGV[6]  delivery id, '' for a further page of a listing, which belongs to an attempt that has its permit
  ARGV[7]  the delivery's configuration key, '' for a further page

  Reply: {1, whether failures are being counted, holds it is the probe of, separated by spaces},
  {0, milliseconds to wait, reason} or {0, -1, the hold of its configuration}
]]
--- @include "budget-clock"
--- @include "claim-hold"
--- @include "pace/grant"
--- @include "draining"

-- Writes do not wait for general slots, so reads may find those taken for a while. A slot further ahead than this means
-- that the clock stepped back.
local FURTHEST_SLOT_US = 1000000
local DRAINING_LOOK_MS = 1000

local kind, startPer20s, requestIntervalUs, probeLostMs, longestProbeMs, id, configuration = unpack(ARGV)
local operation = kind == 'write' and 'create' or 'look'
local own = operation .. ':' .. configuration

if id ~= '' and isDraining(KEYS[1]) then return {0, DRAINING_LOOK_MS, 'moving'}, false end

local holding, probing, hasFailures = {}, {}, false
if id ~= '' then
  local fields = {'h:' .. own, 'h:' .. operation, 'h:any', 's:' .. own, 's:' .. operation, 's:any'}
  local found = redis.call('HMGET', KEYS[2], unpack(fields))
  if found[1] then
    local hold = cjson.decode(found[1])
    if hold.probe ~= id then return {0, -1, own}, false end
    probing[own] = hold
  end
  if found[2] then holding[operation] = cjson.decode(found[2]) end
  if found[3] then holding.any = cjson.decode(found[3]) end
  hasFailures = found[4] or found[5] or found[6]
end

local budget = redis.call('HMGET', KEYS[1], 'throttledUntil', 'throttledAt', 'nextAnyAt', 'throttles')
local throttledUntil = tonumber(budget[1] or 0)
-- If Redis's clock stepped back, the throttle moves back with it.
local steppedBack = throttledUntil > now and budget[2] - now or 0
if steppedBack > 0 then
  throttledUntil = throttledUntil - steppedBack
  redis.call('HSET', KEYS[1], 'throttledAt', toText(now), 'throttledUntil', toText(throttledUntil))
end
if now < throttledUntil then return {0, math.ceil((throttledUntil - now) / 1000), 'throttled'}, false end

local waitMs, reason = 0, ''
for key, hold in pairs(holding) do
  local probeAt = math.min(hold.probeAt, nowMs + longestProbeMs)
  -- A configuration that has not failed itself need not wait for those that have, unless a probe is under way.
  if not probing[own] and hold.probe == cjson.null then probeAt = math.min(probeAt, hold.tryOthersAt) end
  if probeAt - nowMs > waitMs then waitMs, reason = probeAt - nowMs, hold.reason end
  probing[key] = hold
end
if waitMs > 0 and probing[own] then
  -- It must not block others that may be sent before it.
  claimHold(KEYS[2], KEYS[3], own, probing[own], cjson.null, math.floor(nowMs + waitMs))
  return {0, -1, own}
end
if waitMs > 0 then return {0, math.ceil(waitMs), reason}, false end

if not next(holding) then
  local anyAt = math.min(tonumber(budget[3] or 0), now + FURTHEST_SLOT_US)
  if kind == 'write' then
    local pace = loadPace(KEYS[1], tonumber(startPer20s), nowMs)
    if followClock(pace, nowMs) then savePace(KEYS[1], pace) end
    if nowMs < pace.slotAt then return {0, math.ceil(pace.slotAt - nowMs), 'pace'}, false end
    grant(pace, nowMs)
    savePace(KEYS[1], pace)
  elseif now < anyAt then
    return {0, math.ceil((anyAt - now) / 1000), 'pace'}, false
  end
  redis.call('HSET', KEYS[1], 'nextAnyAt', toText(math.max(anyAt, now - requestIntervalUs) + requestIntervalUs))
end

local keys = {}
for key, hold in pairs(probing) do
  keys[#keys + 1] = key
  claimHold(KEYS[2], KEYS[3], key, hold, id, math.floor(nowMs) + probeLostMs)
end
return {1, (hasFailures or budget[4]) and 1 or 0, table.concat(keys, ' ')}
