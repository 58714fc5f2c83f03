--[[
  A lone refusal does not prove a lower limit: it causes a short wait and a slightly lower ceiling.
]]
--- @include "pace/unused"

-- Still returning to the ceiling, where a limit would not be expected to refuse anything.
local function isReturning(pace) return pace.hasMetLimit == 1 and pace.grownMs <= pace.returnMs end

local function lower(pace, by) pace.ceilingPer20s = max(LEAST_PER_20S, pace.ceilingPer20s * (1 - by)) end

local function onLoneRefusal(pace, now, untilMs, wasNoisy)
  if wasNoisy then lower(pace, LONE_FALL_AMID_NOISE)
  elseif isNoisy(pace) then pace.ceilingPer20s = max(pace.ceilingPer20s, pace.provenPer20s)
  elseif isReturning(pace) then lower(pace, LONE_FALL) end
  for _, writes in ipairs({'recentWrites', 'middleWrites', 'olderWrites', 'spanWrites'}) do
    pace[writes] = max(0, pace[writes] - 1)
  end
  pace.triedWrites = 0
  local stillMs = max(0, untilMs - max(now, pace.slotAt))
  move(pace, EVIDENCE_SINCE, stillMs)
  pace.spanSince = pace.spanSince + stillMs
  pace.slotAt = max(pace.slotAt, untilMs)
  pace.loneAt = now
end
