--[[
  Adjusts the pace after a refused write: a lone refusal may be noise, any other shows a limit.
]]
--- @include "pace/unused"
--- @include "pace/noise"
--- @include "pace/lone-refusal"
--- @include "pace/episode"

local function throttlePace(pace, now, waitMs, fromRetryAfter)
  pace.heat = pace.heat + 1
  skipUnused(pace, now)
  local wasNoisy = isNoisy(pace)
  -- Refusals within a window are one episode; within the longest window if nothing was accepted in between.
  local isUntaken = pace.hasMetLimit == 1 and pace.spanWrites <= STILL_FULL_WRITES
  local followedMs = isUntaken and LONGEST_WINDOW_MS or WINDOW_MS
  local isFollowUp = now < pace.resumeAt or now < pace.throttledAt + followedMs
  local isFull = isStillFull(pace, now) or fromRetryAfter and waitMs > LONGEST_LONE_WAIT_MS
  local isAlone = pace.heat < (wasNoisy and EPISODE_HEAT_AMID_NOISE or EPISODE_HEAT)
  if isFollowUp or isFull or not isAlone then return onEpisode(pace, now, waitMs, fromRetryAfter, isFollowUp) end
  if isReturning(pace) then suspectNoise(pace, now + waitMs) end
  local isUnproven = not fromRetryAfter and (isReturning(pace) or pace.hasMetLimit == 0)
  if isNoisy(pace) or isUnproven then onLoneRefusal(pace, now, now + waitMs, wasNoisy)
  else onEpisode(pace, now, waitMs, fromRetryAfter, isFollowUp) end
end
