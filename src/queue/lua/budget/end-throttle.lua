--[[
  Ends a throttle at once. The learned pace stays.

  KEYS[1]  budget

  Reply: the instant in milliseconds at which it would have ended; null if there is no throttle
]]
--- @include "budget-clock"

local throttledUntil = tonumber(redis.call('HGET', KEYS[1], 'throttledUntil') or 0)
if throttledUntil <= now then return false, false end
redis.call('HDEL', KEYS[1], 'throttledUntil', 'throttledAt', 'throttles')
return toText(throttledUntil / 1000)
