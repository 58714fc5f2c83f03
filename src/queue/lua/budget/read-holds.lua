--[[
  Reads all that is known about holds, with Redis's time.

  KEYS[1]  holds
  KEYS[2]  holds of configurations that have, or had, parked deliveries
  ARGV[1]  prefix of the tenant's keys

  Reply: {time in milliseconds, {field, value, field, value…}, {hold…}}: the holds that have parked deliveries
]]
local time = redis.call('TIME')
local parked = {}
for _, hold in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  if redis.call('ZCARD', ARGV[1] .. ':parked:' .. hold) > 0 then parked[#parked + 1] = hold end
end
return {time[1] * 1000 + math.floor(time[2] / 1000), redis.call('HGETALL', KEYS[1]), parked}
