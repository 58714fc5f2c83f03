--[[
  Notes a failed probe of the directory's hold. Another worker's probe may have ended the hold meanwhile: that stays so.

  KEYS[1]  hold of the directory
  ARGV[1]  reason
  ARGV[2]  detail
  ARGV[3]  when the next probe is due

  Reply: 1, or 0 if it is not held
]]
if redis.call('HEXISTS', KEYS[1], 'since') == 0 then return 0, false end
redis.call('HINCRBY', KEYS[1], 'probes', 1)
redis.call('HSET', KEYS[1], 'reason', ARGV[1], 'detail', ARGV[2], 'probeAt', ARGV[3])
return 1
