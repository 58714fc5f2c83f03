--[[
  Chooses probes: one parked delivery at a time finds out whether its configuration's hold can end.
]]
--- @include "waiting-list/keys"
--- @include "waiting-list/read-header"
--- @include "waiting-list/room"
--- @include "claim-hold"

-- While the tenant is held as well, one configuration at a time is probed, and not before the tenant's own probe is due.
local function mayProbe(operation, chosen, now)
  for _, text in pairs(redis.call('HMGET', HOLDS, 'h:' .. operation, 'h:any')) do
    if text and (chosen[operation] or cjson.decode(text).probeAt > now) then return false end
  end
  return true
end

-- Promotes a probe for each hold that is due, each time another of its deliveries, and appends it to `promoted`.
local function promoteProbes(promoted, now)
  local room, chosen = retryRoom(), {}
  if room <= 0 then return end
  -- A probe that is further off than any probe can be means that Redis's clock stepped back.
  local tooLate = '(' .. string.format('%.0f', now + PROBE_LOST_MS)
  for _, hold in ipairs(redis.call('ZRANGEBYSCORE', PROBES, tooLate, '+inf', 'LIMIT', 0, room)) do
    redis.call('ZADD', PROBES, now, hold)
  end
  for _, key in ipairs(redis.call('ZRANGEBYSCORE', PROBES, '-inf', now, 'LIMIT', 0, room)) do
    local operation = string.match(key, '^%a+')
    if mayProbe(operation, chosen, now) then
      local hold = cjson.decode(redis.call('HGET', HOLDS, 'h:' .. key))
      local count = redis.call('ZCARD', parked(key))
      local id = count > 0 and redis.call('ZRANGE', parked(key), hold.probes % count, hold.probes % count)[1]
      local status, at
      if id then
        redis.call('ZREM', parked(key), id)
        status, at = readHeader(id)
      else
        redis.call('ZREM', PROBES, key)
      end
      if status == QUEUED or status == WAITING then
        redis.call('ZADD', PROMOTED, at, id)
        redis.call('SADD', RETRYING, id)
        claimHold(HOLDS, PROBES, key, hold, id, now + PROBE_LOST_MS)
        promoted[#promoted + 1] = id
        chosen[operation] = true
      end
    end
  end
end
