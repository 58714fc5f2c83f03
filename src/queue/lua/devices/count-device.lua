--[[
  Counts what a device submitted in its current window.

  KEYS[1]  count of the device and window
  ARGV[1]  how many to add
  ARGV[2]  milliseconds until the count expires

  Reply: the total of all processes
]]
local total = redis.call('INCRBY', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return total
