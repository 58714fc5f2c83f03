--[[
  Restores a revoked device.

  KEYS[1]  revoked devices
  ARGV[1]  device id

  Reply: 1, or 0 if it was not revoked
]]
if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return 0, false end
redis.call('HINCRBY', KEYS[1], REVISION_FIELD, 1)
return 1
