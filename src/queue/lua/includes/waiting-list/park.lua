--[[
  Parks a delivery while its configuration is held.
]]
--- @include "waiting-list/keys"

local function park(hold, id, at)
  redis.call('ZADD', parked(hold), at, id)
  redis.call('SADD', PARKED_SETS, hold)
  if not redis.call('ZSCORE', PROBES, hold) then
    redis.call('ZADD', PROBES, cjson.decode(redis.call('HGET', HOLDS, 'h:' .. hold)).probeAt, hold)
  end
end
