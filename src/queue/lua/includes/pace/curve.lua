--[[
  How fast the pace is: a cubic curve through the ceiling.
]]
--- @include "pace/state"

local function maximum(startPer20s)
  local requestsPer20s = startPer20s > REQUESTS_PER_20S and startPer20s / WRITE_SHARE or REQUESTS_PER_20S
  return min(startPer20s * MOST_TIMES_START, requestsPer20s * WRITE_SHARE)
end

local function isNoisy(pace) return pace.noise >= NOISE end

local function probedMs(beyondMs, windowMs)
  local slowMs = PROBE_MS * windowMs / WINDOW_MS
  return beyondMs <= slowMs and beyondMs * WINDOW_MS / windowMs or PROBE_MS + beyondMs - slowMs
end

-- Returns writes per 20 s.
local function onCurve(pace)
  local beyondMs = pace.grownMs - pace.returnMs
  local change
  if beyondMs < 0 then
    change = (1 - (isNoisy(pace) and FALL_TO_AMID_NOISE or FALL_TO)) * (beyondMs / pace.returnMs) ^ 3
  else
    change = PROBE_STEP * (probedMs(beyondMs, pace.windowMs) / PROBE_MS) ^ 3
  end
  return max(LEAST_PER_20S, min(pace.ceilingPer20s * (1 + change), maximum(pace.startPer20s)))
end
