--[[
  Claims the probe of the directory's hold, if it is due: one worker sends it.

  KEYS[1]  hold of the directory
  ARGV[1]  current time in milliseconds
  ARGV[2]  when this probe counts as lost and the next one is due

  Reply: 1, or 0 if no probe is due
]]
local probe_at = redis.call('HGET', KEYS[1], 'probeAt')
if not probe_at or tonumber(probe_at) > tonumber(ARGV[1]) then return 0, false end
redis.call('HSET', KEYS[1], 'probeAt', ARGV[2])
return 1
