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
