--[[
  Stores a new secret unless one is stored already, so that processes that start together agree on one. The secret is
  stored once for each configured key, sealed with it; without any key, once as it is.

  KEYS[1]  hash of these copies, one field for each key
  ARGV     field, copy, field, copy…

  Reply: what these fields hold now, null for one that is not set. All of them are set here if none was before; if any
  was, nothing is changed.
]]
local fields, isKnown = {}, false
for at = 1, #ARGV, 2 do fields[#fields + 1] = ARGV[at] end
local values = redis.call('HMGET', KEYS[1], unpack(fields))
for at = 1, #fields do isKnown = isKnown or values[at] end
if isKnown then return values end
redis.call('HSET', KEYS[1], unpack(ARGV))
return redis.call('HMGET', KEYS[1], unpack(fields))
