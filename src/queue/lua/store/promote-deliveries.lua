--[[
  Promotes as many deliveries as there is room for: probes of held configurations, then due retries, then new ones.

  KEYS[1..11]  the waiting list's, see includes/waiting-list/keys.lua
  ARGV[1..3]   the waiting list's
  ARGV[4]      most new deliveries to promote

  Reply: {ids, milliseconds until the script should be called again, or -1 if nothing becomes due}
]]
--- @include "waiting-list/promote"

local promoted = promote(tonumber(ARGV[OWN_ARGS + 1]))
local now, nextAt = currentTime(false), nil
-- Skipping or releasing stopped at its limit: the next call should come at once.
if skips <= 0 or redis.call('EXISTS', RELEASED) == 1 then nextAt = now end
for _, key in ipairs({PUT_OFF, PROBES}) do
  -- Counts only what becomes due later. What is due already waits for room, and room comes when an attempt ends.
  local later = redis.call('ZRANGEBYSCORE', key, '(' .. string.format('%.0f', now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  local at = later[2]
  if at and (not nextAt or tonumber(at) < nextAt) then nextAt = tonumber(at) end
end
local reply = {promoted, nextAt and math.ceil(nextAt - now) or -1}
-- Without a promotion the reply need not be kept for a repeated call, see answer-once.lua.
return reply, #promoted > 0 and reply
