--[[
  Restores a revoked device.

  KEYS[1]  revoked devices
  ARGV[1]  by how much the list's revision grows
  ARGV[2]  device id

  Reply: 1, or 0 if it was not revoked
]]
if redis.call('HDEL', KEYS[1], ARGV[2]) == 0 then return 0, false end
redis.call('HINCRBY', KEYS[1], REVISION_FIELD, ARGV[1])
return 1
