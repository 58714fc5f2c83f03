--[[
  Revokes a device. The instant of the first revocation stays.

  KEYS[1]  revoked devices
  ARGV[1]  by how much the list's revision grows
  ARGV[2]  device id
  ARGV[3]  current time in milliseconds

  Reply: 1, or 0 if it was revoked already
]]
if redis.call('HSETNX', KEYS[1], ARGV[2], ARGV[3]) == 0 then return 0, false end
redis.call('HINCRBY', KEYS[1], REVISION_FIELD, ARGV[1])
return 1
