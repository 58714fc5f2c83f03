--[[
  Grants a slot: counts it, and lets the pace grow.
]]
--- @include "pace/unused"

local INSTANTS = {'slotAt', 'throttledAt', 'resumeAt', 'recentSince', 'middleSince', 'olderSince', 'episodeSince',
  'spanSince', 'filledSince', 'loneAt', 'provingSince'}
local COUNTS_OF_WRITES = {'recentWrites', 'middleWrites', 'olderWrites', 'triedWrites', 'spanWrites', 'provingWrites'}

-- If the next slot is more than two intervals ahead, the clock stepped back: all instants move back with it. Returns
-- whether they did.
local function followClock(pace, now)
  local intervalMs = WINDOW_MS / onCurve(pace)
  if pace.slotAt - now <= 2 * intervalMs then return false end
  move(pace, INSTANTS, now + intervalMs - pace.slotAt)
  return true
end

local function grant(pace, now)
  skipUnused(pace, now)
  local intervalMs = WINDOW_MS / onCurve(pace)
  if now - pace.recentSince >= pace.windowMs / COUNTS_PER_WINDOW then
    pace.olderWrites, pace.olderSince = pace.middleWrites, pace.middleSince
    pace.middleWrites, pace.middleSince = pace.recentWrites, pace.recentSince
    pace.recentWrites, pace.recentSince = 0, now
  end
  for _, writes in ipairs(COUNTS_OF_WRITES) do pace[writes] = pace[writes] + 1 end
  pace.heat = pace.heat * (1 - 1 / COOLING_WRITES)
  pace.noise = pace.noise * (1 - 1 / NOISE_WRITES)
  if pace.unusedMs == 0 then pace.grownMs = pace.grownMs + intervalMs end
  pace.unusedMs = max(0, pace.unusedMs - intervalMs)
  pace.slotAt = pace.slotAt + intervalMs
end
