--[[
  Reads what operators may have to be told about a tenant.

  KEYS[1]  holds
  KEYS[2]  holds of configurations that have, or had, parked deliveries
  KEYS[3]  dead letters
  KEYS[4]  hold of the device directory
  ARGV[1]  prefix of the tenant's keys
  ARGV[2]  since when dead letters are counted, in milliseconds; '' for the time before
  ARGV[3]  that time, in milliseconds

  Reply: {time in milliseconds, {key of a hold, hold, key, hold…}, {key of a hold with parked deliveries…},
  {id of the latest dead letter, its instant} or {}, dead letters counted, all dead letters,
  {reason, detail, instant} of the directory's hold, null where there is none}
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local holds, parked, parkedSets = {}, {}, {}
for _, key in ipairs(redis.call('SMEMBERS', KEYS[2])) do parkedSets[key] = true end
local fields = redis.call('HGETALL', KEYS[1])
for i = 1, #fields, 2 do
  local key = string.match(fields[i], '^h:(.+)$')
  if key then
    holds[#holds + 1], holds[#holds + 2] = key, fields[i + 1]
    if parkedSets[key] and redis.call('ZCARD', ARGV[1] .. ':parked:' .. key) > 0 then parked[#parked + 1] = key end
  end
end
local since = ARGV[2] == '' and now - ARGV[3] or ARGV[2]
return {
  now,
  holds,
  parked,
  redis.call('ZREVRANGE', KEYS[3], 0, 0, 'WITHSCORES'),
  redis.call('ZCOUNT', KEYS[3], since, '+inf'),
  redis.call('ZCARD', KEYS[3]),
  redis.call('HMGET', KEYS[4], 'reason', 'detail', 'since'),
}
