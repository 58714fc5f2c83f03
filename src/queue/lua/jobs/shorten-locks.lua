--[[
  Shortens the expiry of the locks of active jobs, and of the pause between two checks for stalled ones, to the longest
  that BullMQ sets.

  KEYS[1]  BullMQ's list of active jobs
  KEYS[2]  exists until the next check for stalled jobs
  ARGV[1]  prefix of a job's key
  ARGV[2]  longest lifetime of a lock in milliseconds
  ARGV[3]  longest pause between two checks in milliseconds
  ARGV[4]  index of the first active job to look at
  ARGV[5]  index of the last

  Reply: how many jobs are active
]]
local function shorten(key, longestMs)
  if redis.call('PTTL', key) > tonumber(longestMs) then redis.call('PEXPIRE', key, longestMs) end
end

shorten(KEYS[2], ARGV[3])
for _, id in ipairs(redis.call('LRANGE', KEYS[1], ARGV[4], ARGV[5])) do shorten(ARGV[1] .. id .. ':lock', ARGV[2]) end
return redis.call('LLEN', KEYS[1])
