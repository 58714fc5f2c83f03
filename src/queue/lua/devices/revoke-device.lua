--[[
  Revokes a device. The instant of the first revocation stays.

  KEYS[1]  revoked devices
  ARGV[1]  device id
  ARGV[2]  current time in milliseconds

  Reply: 1, or 0 if it was revoked already
]]
if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 0 then return 0, false end
redis.call('HINCRBY', KEYS[1], REVISION_FIELD, 1)
return 1
