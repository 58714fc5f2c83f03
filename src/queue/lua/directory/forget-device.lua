--[[
  Forgets what the directory said about a device, and what it answers to questions from before.

  KEYS[1]  devices of the directory
  KEYS[2]  devices that were forgotten lately, by when
  KEYS[3]  ids the directory does not have, by when it was asked
  ARGV[1]  device id, 16 bytes in hex
  ARGV[2]  current time in milliseconds
  ARGV[3]  milliseconds for which a question may be under way

  Reply: how many answers were known
]]
--- @include "hex"
local id, now, under_way_ms = from_hex(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
redis.call('ZADD', KEYS[2], ARGV[2], id)
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', string.format('%.0f', now - under_way_ms))
redis.call('PEXPIRE', KEYS[2], under_way_ms)
return redis.call('HDEL', KEYS[1], id) + redis.call('ZREM', KEYS[3], id)
