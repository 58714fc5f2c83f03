--[[
  The length of the window in which Graph counts requests. Two consecutive spans between the ends of full windows that
  accepted nearly the same are windows.
]]
--- @include "pace/state"

local function isStillFull(pace, now)
  local isSoon = pace.triedWrites <= STILL_FULL_WRITES or now - pace.resumeAt <= STILL_FULL_MS
  return pace.triedWrites > 0 and isSoon
end

-- When a full window ended: a Retry-After longer than the window is a penalty, any other is rounded up.
local function fullUntil(waitMs, windowMs, now)
  return waitMs > windowMs and now or now + max(0, waitMs - ROUNDED_UP_MS)
end

-- Returns whether the span that ended was a window.
local function learnWindow(pace, isFull, fullMs, untilMs, isTimely)
  local spanMs = untilMs - pace.filledSince
  pace.filledPer20s = spanMs > REMEMBERED_SPAN_MS and 0 or pace.filledWrites * WINDOW_MS / max(1, spanMs)
  local agrees = math.abs(pace.filledPer20s - pace.earlierPer20s) <= SPANS_AGREE_WITHIN * pace.earlierPer20s
  local isSpan = spanMs >= WINDOW_MS and spanMs <= LONGEST_SPAN_MS and pace.earlierPer20s > 0
  local isWindow = isFull and isSpan and agrees
  local shortestMs = isFull and min(LONGEST_WINDOW_MS, WINDOW_PER_FULL * fullMs) or 0
  local shrinks = shortestMs <= pace.windowMs and isTimely
  local believedMs = shrinks and pace.windowMs * WINDOW_SHRINK or pace.windowMs
  pace.windowMs = max(WINDOW_MS, believedMs, shortestMs, isWindow and min(LONGEST_WINDOW_MS, spanMs) or 0)
  return isWindow
end
