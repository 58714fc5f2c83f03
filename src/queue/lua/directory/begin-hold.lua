--[[
  Begins the hold of the directory, unless it is held already.

  KEYS[1]  hold of the directory
  ARGV[1]  reason
  ARGV[2]  detail
  ARGV[3]  current time in milliseconds
  ARGV[4]  when the first probe is due

  Reply: 1, or 0 if it was held
]]
if redis.call('HEXISTS', KEYS[1], 'since') == 1 then return 0, false end
redis.call('HSET', KEYS[1], 'reason', ARGV[1], 'detail', ARGV[2], 'since', ARGV[3], 'probes', 0, 'probeAt', ARGV[4])
return 1
