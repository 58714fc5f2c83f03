--[[
  Remembers that the directory does not have a device, unless it was forgotten since the directory was asked.

  KEYS[1]  devices of the directory
  KEYS[2]  devices that were forgotten lately, by when
  KEYS[3]  ids the directory does not have, by when it was asked
  ARGV[1]  device id, 16 bytes in hex
  ARGV[2]  when the directory was asked, in milliseconds
  ARGV[3]  milliseconds for which that is remembered
  ARGV[4]  how many ids are remembered

  Reply: 1, or 0 if nothing was stored
]]
--- @include "hex"
local id, asked_at, kept_ms, most = from_hex(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local forgotten_at = redis.call('ZSCORE', KEYS[2], id)
if forgotten_at and tonumber(forgotten_at) > asked_at then return 0 end
redis.call('HDEL', KEYS[1], id)
redis.call('ZADD', KEYS[3], ARGV[2], id)
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', string.format('%.0f', asked_at - kept_ms))
redis.call('ZREMRANGEBYRANK', KEYS[3], 0, -1 - most)
redis.call('PEXPIRE', KEYS[3], kept_ms)
return 1
