--[[
  Gives the lock of a move back.

  KEYS[1]  the lock
  ARGV[1]  the run

  Reply: 1, or 0 if the run does not have it
]]
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
