--[[
  The learned pace as the budget keeps it: one field for each number, instants in milliseconds. The Lua code does
  line by line what src/domain/pace does; a property test runs the same histories through both.
]]
local max, min = math.max, math.min

local function createPace(startPer20s, now)
  return {
    startPer20s = startPer20s, ceilingPer20s = startPer20s,
    returnMs = RETURN_AFTER_MOVE_MS, grownMs = RETURN_AFTER_MOVE_MS, unusedMs = 0,
    slotAt = now, throttledAt = now - WINDOW_MS, resumeAt = now - WINDOW_MS,
    recentWrites = 0, recentSince = now, middleWrites = 0, middleSince = now, olderWrites = 0, olderSince = now,
    episodeWrites = 0, episodeSince = now, triedWrites = NEVER_REFUSED,
    windowMs = WINDOW_MS, spanWrites = 0, spanSince = now, filledWrites = 0, filledSince = now,
    filledPer20s = 0, earlierPer20s = 0,
    heat = 0, noise = 0, loneAt = now - WINDOW_MS, hasMetLimit = 0,
    provenPer20s = 0, provingWrites = 0, provingSince = now,
  }
end

-- Numbers that an older version did not store are taken from a new pace.
local function loadPace(key, startPer20s, now)
  local found = redis.call('HMGET', key, unpack(PACE_FIELDS))
  local pace = createPace(startPer20s, now)
  for i, member in ipairs(PACE_MEMBERS) do pace[member] = tonumber(found[i] or nil) or pace[member] end
  pace.startPer20s = startPer20s
  return pace
end

local function savePace(key, pace)
  local fields = {}
  for i, member in ipairs(PACE_MEMBERS) do
    fields[#fields + 1] = PACE_FIELDS[i]
    fields[#fields + 1] = string.format('%.17g', pace[member])
  end
  redis.call('HSET', key, unpack(fields))
end
