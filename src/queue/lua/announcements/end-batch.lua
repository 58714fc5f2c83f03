--[[
  Removes a batch whose messages are queued.

  KEYS[1]  announcements that are to be sent
  KEYS[2]  rounds
  ARGV[1]  id of the batch

  Reply: 1, or 0 if another process has removed it
]]
local batch, size = unpack(redis.call('HMGET', KEYS[2], 'batch', 'size'))
if batch ~= ARGV[1] then return 0 end
redis.call('LTRIM', KEYS[1], tonumber(size), -1)
redis.call('HDEL', KEYS[2], 'batch', 'size')
local time = redis.call('TIME')
redis.call('HSET', KEYS[2], 'since', time[1] * 1000 + math.floor(time[2] / 1000))
return 1
