--[[
  Changes what is known about holds unless it was changed since it was read. The deliveries parked under a hold that
  ends are released.

  KEYS[1]   holds
  KEYS[2]   holds of configurations, by when their next probe may be chosen
  KEYS[3]   holds that ended and whose parked deliveries go back
  ARGV[1]   version that was read
  ARGV[2…]  field, new value, field, new value…; '' deletes the field

  Reply: 1, or 0 if it was changed since
]]
if (redis.call('HGET', KEYS[1], 'v') or '0') ~= ARGV[1] then return 0, false end
redis.call('HINCRBY', KEYS[1], 'v', 1)
for i = 2, #ARGV, 2 do
  local field, value = ARGV[i], ARGV[i + 1]
  local hold = string.match(field, '^h:(%a+:.+)$')
  if value == '' then
    redis.call('HDEL', KEYS[1], field)
    if hold then
      redis.call('ZREM', KEYS[2], hold)
      redis.call('SADD', KEYS[3], hold)
    end
  else
    redis.call('HSET', KEYS[1], field, value)
    if hold then redis.call('ZADD', KEYS[2], cjson.decode(value).probeAt, hold) end
  end
end
return 1
