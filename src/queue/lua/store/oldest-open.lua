--[[
  When the oldest open delivery was accepted.

  KEYS[1..11]  the waiting list's, see includes/waiting-list/keys.lua
  ARGV[1..3]   the waiting list's

  Reply: {of all, of those that are not parked}, null where there is none
]]
--- @include "waiting-list/first-in-list"

local notParked = tonumber(redis.call('ZRANGE', PROMOTED, 0, 0, 'WITHSCORES')[2])
for rank = 0, RANK_COUNT - 1 do
  local id, at = firstInList(rank)
  if id and (not notParked or at < notParked) then notParked = at end
end
local ofAll = notParked
for _, hold in ipairs(redis.call('SMEMBERS', PARKED_SETS)) do
  local at = tonumber(redis.call('ZRANGE', parked(hold), 0, 0, 'WITHSCORES')[2])
  if at and (not ofAll or at < ofAll) then ofAll = at end
end
return {ofAll and tostring(ofAll) or false, notParked and tostring(notParked) or false}, false
