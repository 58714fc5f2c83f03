--[[
  A tenant at one instant, for operators: all in one call, since a scrape reads hundreds of tenants.

  KEYS[1..11]  the waiting list's, see includes/waiting-list/keys.lua
  KEYS[12]     the budget
  ARGV[1..3]   the waiting list's

  Reply: {time in milliseconds, {deliveries by status}, {when the oldest open delivery was accepted: of all, of those that
  are not parked; null where there is none}, {field, value…} of the holds, {hold, parked deliveries…},
  {instants at which throttling began and ends, in microseconds, and the pace: PACE_FIELDS; null where nothing is stored}}
]]
--- @include "waiting-list/first-in-list"

local function oldestOpen()
  local notParked = tonumber(redis.call('ZRANGE', PROMOTED, 0, 0, 'WITHSCORES')[2])
  for rank = 0, RANK_COUNT - 1 do
    local id, at = firstInList(rank)
    if id and (not notParked or at < notParked) then notParked = at end
  end
  local ofAll, counts = notParked, {}
  for _, hold in ipairs(redis.call('SMEMBERS', PARKED_SETS)) do
    counts[#counts + 1] = hold
    counts[#counts + 1] = redis.call('ZCARD', parked(hold))
    local at = tonumber(redis.call('ZRANGE', parked(hold), 0, 0, 'WITHSCORES')[2])
    if at and (not ofAll or at < ofAll) then ofAll = at end
  end
  return {ofAll and tostring(ofAll) or false, notParked and tostring(notParked) or false}, counts
end

local time = redis.call('TIME')
local oldest, parkedCounts = oldestOpen()
return {
  time[1] * 1000 + math.floor(time[2] / 1000),
  redis.call('HMGET', COUNTS, unpack(STATUSES)),
  oldest,
  redis.call('HGETALL', HOLDS),
  parkedCounts,
  redis.call('HMGET', KEYS[OWN_KEYS + 1], 'throttledAt', 'throttledUntil', unpack(PACE_FIELDS)),
}, false
