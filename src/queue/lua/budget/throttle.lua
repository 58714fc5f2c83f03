--[[
  Records that Graph refused a request: no permits are granted until the wait is over.

  KEYS[1]  budget
  ARGV[1]  milliseconds of Graph's Retry-After, -1 if it named none
  ARGV[2]  random number below 1
  ARGV[3]  first backoff in milliseconds
  ARGV[4]  longest backoff in milliseconds
  ARGV[5]  'teach' if the pace learns from it
  ARGV[6]  configured writes per 20 s

  Reply: milliseconds that all workers wait
]]
--- @include "budget-clock"
--- @include "pace/throttle"

local retryAfterMs, random, firstMs, longestMs, teach, startPer20s = unpack(ARGV)
retryAfterMs = tonumber(retryAfterMs)

local throttledUntil, throttles = unpack(redis.call('HMGET', KEYS[1], 'throttledUntil', 'throttles'))
throttledUntil, throttles = tonumber(throttledUntil or 0), tonumber(throttles or 0)
if now >= throttledUntil then
  throttles = throttles + 1
  redis.call('HSET', KEYS[1], 'throttles', throttles, 'throttledAt', toText(now))
end
-- A Retry-After shorter than the backoff counts as none: 0 again and again would be no wait at all.
local backoffMs = random * math.min(longestMs, firstMs * 2 ^ math.min(throttles - 1, 30))
local fromRetryAfter = retryAfterMs >= backoffMs
local waitMs = fromRetryAfter and retryAfterMs or backoffMs
throttledUntil = math.max(throttledUntil, now + waitMs * 1000)
redis.call('HSET', KEYS[1], 'throttledUntil', toText(throttledUntil))
if teach == 'teach' then
  local pace = loadPace(KEYS[1], tonumber(startPer20s), nowMs)
  throttlePace(pace, nowMs, waitMs, fromRetryAfter)
  savePace(KEYS[1], pace)
end
return math.ceil((throttledUntil - now) / 1000)
