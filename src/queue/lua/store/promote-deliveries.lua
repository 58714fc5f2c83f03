--[[
  Promotes the next deliveries as there is room: probes of held configurations, retries that are due, new ones.

  KEYS[1..11]  the waiting list's, see includes/waiting-list/keys.lua
  ARGV[1..3]   the waiting list's
  ARGV[4]      how many new ones at most

  Reply: {ids, milliseconds until the next retry or probe is due, or -1 if none is}
]]
--- @include "waiting-list/promote"

local promoted = promote(tonumber(ARGV[OWN_ARGS + 1]))
local now, nextAt = currentTime(false), nil
if skips <= 0 or redis.call('EXISTS', RELEASED) == 1 then nextAt = now end
for _, key in ipairs({PUT_OFF, PROBES}) do
  -- What is due already waits for room; the end of an attempt makes room, not the passing of time.
  local later = redis.call('ZRANGEBYSCORE', key, '(' .. string.format('%.0f', now), '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  local at = later[2]
  if at and (not nextAt or tonumber(at) < nextAt) then nextAt = tonumber(at) end
end
local reply = {promoted, nextAt and math.ceil(nextAt - now) or -1}
return reply, #promoted > 0 and reply
