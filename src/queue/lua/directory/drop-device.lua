--[[
  Forgets a device that is not used any more.

  KEYS[1]  devices of the directory
  ARGV[1]  device id, 16 bytes in hex

  Reply: 1, or 0 if it was not known
]]
--- @include "hex"
return redis.call('HDEL', KEYS[1], from_hex(ARGV[1]))
