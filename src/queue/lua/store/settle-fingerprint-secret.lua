--[[
  Stores a sealed secret unless one is there already, so that processes that start together agree on one.

  KEYS[1]  sealed secrets, by the key that sealed them
  ARGV     field, value, field, value…

  Reply: the values of these fields; they are set only if none of them was
]]
local fields, isKnown = {}, false
for at = 1, #ARGV, 2 do fields[#fields + 1] = ARGV[at] end
local values = redis.call('HMGET', KEYS[1], unpack(fields))
for at = 1, #fields do isKnown = isKnown or values[at] end
if isKnown then return values end
redis.call('HSET', KEYS[1], unpack(ARGV))
return redis.call('HMGET', KEYS[1], unpack(fields))
