--[[
  Reads all that is known about holds, with Redis's time.

  KEYS[1]  holds

  Reply: {time in milliseconds, {field, value, field, value…}}
]]
local time = redis.call('TIME')
return {time[1] * 1000 + math.floor(time[2] / 1000), redis.call('HGETALL', KEYS[1])}
