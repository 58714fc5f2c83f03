--[[
  Time in which no slot was wanted is no evidence, and after a long rest what was learned is gradually forgotten.
]]
--- @include "pace/curve"

local EVIDENCE_SINCE = {'recentSince', 'middleSince', 'olderSince', 'episodeSince'}

local function move(pace, instants, byMs)
  for _, instant in ipairs(instants) do pace[instant] = pace[instant] + byMs end
end

local function skipUnused(pace, now)
  local restMs = now - pace.slotAt
  if restMs >= REST_MS then
    local keptPer20s = max(pace.ceilingPer20s, onCurve(pace))
    local remembered = 2 ^ (-restMs / FORGET_HALF_LIFE_MS)
    pace.ceilingPer20s = pace.startPer20s * (keptPer20s / pace.startPer20s) ^ remembered
    pace.grownMs = min(pace.grownMs, pace.returnMs)
  end
  local lostMs = max(0, now - pace.slotAt - max(WINDOW_MS / onCurve(pace), LATENESS_MS))
  pace.unusedMs = min(WINDOW_MS, pace.unusedMs + USED_PER_LOST * lostMs)
  move(pace, EVIDENCE_SINCE, lostMs)
  move(pace, {'slotAt', 'spanSince', 'filledSince', 'provingSince'}, lostMs)
end
