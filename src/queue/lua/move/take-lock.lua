--[[
  Takes or renews the lock of a move: one run at a time works on it.

  KEYS[1]  the lock
  ARGV[1]  the run
  ARGV[2]  milliseconds until it expires

  Reply: 1, or 0 if another run has it
]]
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
