--[[
  Refusals that show a limit: all requests wait, and the pace falls to just below what Graph was seen to accept.
]]
--- @include "pace/curve"
--- @include "pace/window"
--- @include "pace/noise"

local function onEpisode(pace, now, waitMs, fromRetryAfter, isFollowUp)
  local isTimely = not isFollowUp and pace.grownMs > pace.returnMs
  local isFull = fromRetryAfter and not isFollowUp or isStillFull(pace, now)
  if isFollowUp then
    pace.episodeWrites = max(0, pace.episodeWrites + pace.olderWrites - (now < pace.resumeAt and 1 or 0))
  else
    pace.throttledAt = now - pace.loneAt < SAME_EPISODE_MS and pace.loneAt or now
    pace.episodeWrites, pace.episodeSince = max(0, pace.olderWrites - 1), pace.olderSince
    pace.filledWrites, pace.filledSince = max(0, pace.spanWrites - 1), pace.spanSince
    pace.earlierPer20s = isTimely and 0 or pace.filledPer20s
  end

  local presentPer20s = onCurve(pace)
  local fullUntilMs = fromRetryAfter and fullUntil(waitMs, LONGEST_FULL_MS, now) or now
  local isWindow = learnWindow(pace, isFull, fullUntilMs - pace.throttledAt, fullUntilMs, isTimely)
  local untilMs = fromRetryAfter and fullUntil(waitMs, pace.windowMs, now) or min(now, pace.throttledAt + pace.windowMs)
  local elapsedMs = max(0, untilMs - pace.episodeSince)
  local missingMs = max(0, SHORTEST_MEASURE_MS - elapsedMs)
  local taken = (pace.episodeWrites * WINDOW_MS + presentPer20s * missingMs) / (elapsedMs + missingMs)
  if isWindow then taken = pace.filledPer20s end

  local before, returnMs = pace.ceilingPer20s, pace.returnMs
  local least = max(LEAST_PER_20S, presentPer20s * LARGEST_FALL_TO)
  local measured = max(least, min(isFollowUp and before or presentPer20s, taken))
  local difference = math.abs(measured / before - 1)
  if isWindow then pace.returnMs = max(RETURN_MS, returnMs)
  elseif difference > MOVED_BY then pace.returnMs = RETURN_AFTER_MOVE_MS * pace.windowMs / WINDOW_MS
  elseif not isFollowUp then
    local isUnsure = isNoisy(pace) or measured > before * (1 + AGREES_WITHIN)
    local longer = max(RETURN_MS, min(LONGEST_RETURN_MS, returnMs * RETURN_GROWTH))
    pace.returnMs = isUnsure and RETURN_WHILE_UNSURE_MS or longer
  end
  if isFollowUp then pace.ceilingPer20s = measured
  else
    local weight = difference > AGREES_WITHIN and 1 or measured > before and HIGHER_WEIGHT or LOWER_WEIGHT
    pace.ceilingPer20s = max(least, min(presentPer20s, before + (measured - before) * weight))
  end

  pace.resumeAt = max(pace.resumeAt, now + waitMs)
  if not fromRetryAfter then
    local madeUpAt = pace.episodeSince + pace.episodeWrites * WINDOW_MS / before
    pace.resumeAt = max(pace.resumeAt, min(now + pace.windowMs * MOST_MADE_UP, madeUpAt))
  end
  meetLimit(pace, isFull and not fromRetryAfter, pace.resumeAt)
  pace.grownMs = 0
  pace.slotAt = max(pace.slotAt, pace.resumeAt)
  local since = max(now, pace.resumeAt - SEEN_OF_WAIT_MS)
  for _, writes in ipairs({'recentWrites', 'middleWrites', 'olderWrites', 'triedWrites', 'spanWrites'}) do
    pace[writes] = 0
  end
  pace.recentSince, pace.middleSince, pace.olderSince, pace.spanSince = since, since, since, since
end
