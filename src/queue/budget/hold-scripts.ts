// Holds in Redis: read whole with the time, changed only where nobody changed them since, and a probe given to one delivery.

/**
 * `claim` makes a delivery the probe of a hold until an instant (milliseconds); from then on it counts as lost. Null
 * makes none the probe until then.
 * Fields of the hash of holds change only together with its version `v`.
 */
export const HOLD_LUA = `
local function claim(holds, probes, key, hold, id, lostAt)
  hold.probe, hold.probeAt = id, lostAt
  redis.call('HSET', holds, 'h:' .. key, cjson.encode(hold))
  redis.call('HINCRBY', holds, 'v', 1)
  if string.find(key, ':', 1, true) then redis.call('ZADD', probes, lostAt, key) end
end`;

/** KEYS: holds. Answers the time in milliseconds, and all fields. */
export const READ_HOLDS = `
local time = redis.call('TIME')
return {time[1] * 1000 + math.floor(time[2] / 1000), redis.call('HGETALL', KEYS[1])}`;

/**
 * KEYS: holds, probes, released. ARGV: the version they were read with, then a field and its new value (empty: none) for
 * each change. Answers 0 where somebody was faster. What is parked under a hold of a configuration that ends is released.
 */
export const CHANGE_HOLDS = `
if (redis.call('HGET', KEYS[1], 'v') or '0') ~= ARGV[1] then return 0, false end
redis.call('HINCRBY', KEYS[1], 'v', 1)
for i = 2, #ARGV, 2 do
  local field, value = ARGV[i], ARGV[i + 1]
  local key = string.match(field, '^h:(%a+:.+)$')
  if value == '' then
    redis.call('HDEL', KEYS[1], field)
    if key then
      redis.call('ZREM', KEYS[2], key)
      redis.call('SADD', KEYS[3], key)
    end
  else
    redis.call('HSET', KEYS[1], field, value)
    if key then redis.call('ZADD', KEYS[2], cjson.decode(value).probeAt, key) end
  end
end
return 1`;
