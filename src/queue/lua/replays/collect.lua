--[[
  Collects dead letters for a replay that is about to start. Without one they are gone after a while.

  KEYS[1]   the replay's dead letters, by instant of death
  ARGV[1]   milliseconds for which they are kept
  ARGV[2…]  instant, delivery id, instant, delivery id…

  Reply: how many were added
]]
local added = redis.call('ZADD', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
return added
