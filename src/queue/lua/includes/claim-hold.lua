--[[
  Names the delivery that may probe a hold.
]]
-- Makes a delivery the probe of a hold until an instant in milliseconds, when the probe counts as lost. With
-- cjson.null as its id, nobody is the probe until then. Fields of the hash of holds change only together with its
-- version 'v'.
local function claimHold(holds, probes, key, hold, id, lostAt)
  hold.probe, hold.probeAt = id, lostAt
  redis.call('HSET', holds, 'h:' .. key, cjson.encode(hold))
  redis.call('HINCRBY', holds, 'v', 1)
  if string.find(key, ':', 1, true) then redis.call('ZADD', probes, lostAt, key) end
end
