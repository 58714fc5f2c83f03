--[[
  Decides whether lone refusals are noise, by the rate Graph accepted between them.
]]
--- @include "pace/curve"

local function provenUntil(pace, untilMs)
  local elapsedMs = untilMs - pace.provingSince
  return elapsedMs < PROVE_MS and 0 or max(0, pace.provingWrites - 1) * WINDOW_MS / elapsedMs
end

local function proveFrom(pace, startsOver, untilMs)
  if startsOver then pace.provingWrites, pace.provingSince = 0, untilMs
  else pace.provingWrites = max(0, pace.provingWrites - 1) end
end

local function suspectNoise(pace, untilMs)
  local per20s, provenNow, wasNoisy = onCurve(pace), provenUntil(pace, untilMs), isNoisy(pace)
  pace.provenPer20s = max(pace.provenPer20s, provenNow)
  local isBelowProven = pace.provenPer20s > 0 and per20s <= pace.provenPer20s * (1 - BELOW_PROVEN)
  pace.noise = min(MOST_NOISE, pace.noise + (isBelowProven and 1 or 0))
  if isNoisy(pace) and not wasNoisy then pace.noise = pace.noise + NOISE_PROVEN end
  proveFrom(pace, provenNow > 0, untilMs)
end

-- An episode found a limit: the proven rate is void if the limit is lower.
local function meetLimit(pace, isFull, untilMs)
  local provenNow = provenUntil(pace, untilMs)
  local kept = 1 - (isFull and VOID_BELOW or MOVED_BY)
  local isVoid = pace.hasMetLimit == 0 or pace.provenPer20s * kept > pace.ceilingPer20s
  if isVoid then pace.noise = 0 elseif isFull then pace.noise = pace.noise * NOISE_AFTER_FULL end
  if isVoid then pace.provenPer20s = 0 elseif provenNow > 0 then pace.provenPer20s = provenNow end
  pace.hasMetLimit = 1
  proveFrom(pace, isVoid or provenNow > 0, untilMs)
end
