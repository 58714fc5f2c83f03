--[[
  Lets another process drive a replay at once, because this one stops.

  KEYS[1]  the replay
  ARGV[1]  the process

  Reply: 1, or 0 if it does not drive it
]]
if redis.call('HGET', KEYS[1], 'driver') ~= ARGV[1] then return 0 end
redis.call('HDEL', KEYS[1], 'driver', 'leaseUntil')
return 1
