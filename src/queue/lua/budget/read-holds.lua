--[[
  Reads all that is known about holds, with Redis's time.

  KEYS[1]  holds
  KEYS[2]  holds of configurations, by when their next probe may be chosen

  Reply: {time in milliseconds, {field, value, field, value…}, {hold…}}: those that have a probe ahead
]]
local time = redis.call('TIME')
return {time[1] * 1000 + math.floor(time[2] / 1000), redis.call('HGETALL', KEYS[1]), redis.call('ZRANGE', KEYS[2], 0, -1)}
