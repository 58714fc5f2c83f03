--[[
  Deliveries that wait for their next attempt, on Redis's clock.
]]
--- @include "waiting-list/keys"

-- How often the clock is written down: only a larger step back is noticed.
local CLOCK_NOTED_EVERY_MS = 1000

-- Returns the time in milliseconds. If the clock stepped back, everything put off moves back with it: nothing waits
-- longer than it was meant to. `waiting` is true if the caller is about to put something off.
local function currentTime(waiting)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  if not waiting and redis.call('EXISTS', PUT_OFF) == 0 then return now end
  local noted = tonumber(redis.call('HGET', COUNTS, 'clock') or 0)
  if now < noted then
    local due = redis.call('ZRANGE', PUT_OFF, 0, -1, 'WITHSCORES')
    for at = 1, #due, 2 do
      redis.call('ZADD', PUT_OFF, string.format('%.0f', due[at + 1] - (noted - now)), due[at])
    end
  end
  if now < noted or now >= noted + CLOCK_NOTED_EVERY_MS then
    redis.call('HSET', COUNTS, 'clock', string.format('%.0f', now))
  end
  return now
end

-- Makes a delivery wait for its next attempt; 0 ends its wait.
local function putOff(id, waitMs)
  if waitMs > 0 then redis.call('ZADD', PUT_OFF, string.format('%.0f', currentTime(true) + waitMs), id)
  else redis.call('ZREM', PUT_OFF, id) end
end
