// The learned pace of src/domain/pace.ts once more, in Lua: Redis learns in the same step that gives a slot.
import { ANY_PER_20S, WRITES_OF_ANY } from '../domain/any-limit.ts';
import { PACE_MEMBERS } from '../domain/pace.ts';
import * as tuned from '../domain/pace-tuning.ts';

/** Where the budget keeps each number of the pace. */
export const PACE_FIELDS = PACE_MEMBERS.map((member) => `pace.${member}`);

/** Instants in milliseconds. Line by line what `grant` and `throttle` there do; a test plays any history to both. */
export const PACE = `
local MEMBERS = {${PACE_MEMBERS.map((member) => `'${member}'`).join(',')}}
local max, min, abs = math.max, math.min, math.abs

local function create(start, now)
  return {
    startPer20s = start, ceilingPer20s = start,
    returnMs = ${tuned.RETURN_AFTER_MOVE_MS}, grownMs = ${tuned.RETURN_AFTER_MOVE_MS}, unusedMs = 0,
    slotAt = now, throttledAt = now - ${tuned.WINDOW_MS}, resumeAt = now - ${tuned.WINDOW_MS},
    recentWrites = 0, recentSince = now, middleWrites = 0, middleSince = now, olderWrites = 0, olderSince = now,
    episodeWrites = 0, episodeSince = now,
  }
end

local function load(key, start, now)
  local found = redis.call('HMGET', key, ${PACE_FIELDS.map((field) => `'${field}'`).join(',')})
  local p = {}
  for i, member in ipairs(MEMBERS) do
    p[member] = tonumber(found[i] or nil)
    if not p[member] then return create(start, now) end
  end
  p.startPer20s = start
  return p
end

local function save(key, p)
  local pairs_ = {}
  for _, member in ipairs(MEMBERS) do
    pairs_[#pairs_ + 1] = 'pace.' .. member
    pairs_[#pairs_ + 1] = string.format('%.17g', p[member])
  end
  redis.call('HSET', key, unpack(pairs_))
end

local function most(start)
  local any = start > ${ANY_PER_20S} and start / ${WRITES_OF_ANY} or ${ANY_PER_20S}
  return min(start * ${tuned.MOST_TIMES_START}, any * ${WRITES_OF_ANY})
end

local function onCurve(p)
  local beyond = p.grownMs - p.returnMs
  local change
  if beyond < 0 then change = ${1 - tuned.FALL_TO} * (beyond / p.returnMs) ^ 3
  else change = ${tuned.PROBE_STEP} * (beyond / ${tuned.PROBE_MS}) ^ 3 end
  return max(${tuned.LEAST_PER_20S}, min(p.ceilingPer20s * (1 + change), most(p.startPer20s)))
end

local function skipUnused(p, now)
  local rest = now - p.slotAt
  if rest >= ${tuned.REST_MS} then
    local kept = max(p.ceilingPer20s, onCurve(p))
    p.ceilingPer20s = p.startPer20s * (kept / p.startPer20s) ^ (2 ^ (-rest / ${tuned.FORGET_HALF_LIFE_MS}))
    p.grownMs = min(p.grownMs, p.returnMs)
  end
  local lost = max(0, now - p.slotAt - max(${tuned.WINDOW_MS} / onCurve(p), ${tuned.LATENESS_MS}))
  p.unusedMs = min(${tuned.WINDOW_MS}, p.unusedMs + ${tuned.USED_PER_LOST} * lost)
  for _, instant in ipairs({'slotAt', 'recentSince', 'middleSince', 'olderSince', 'episodeSince'}) do
    p[instant] = p[instant] + lost
  end
end

-- A slot two intervals ahead was given by a clock that stepped back since: everything is moved back with it.
local function rewind(p, now)
  local interval = ${tuned.WINDOW_MS} / onCurve(p)
  if p.slotAt - now <= 2 * interval then return false end
  local steppedBack = p.slotAt - interval - now
  for _, instant in ipairs({'slotAt', 'throttledAt', 'resumeAt', 'recentSince', 'middleSince', 'olderSince', 'episodeSince'}) do
    p[instant] = p[instant] - steppedBack
  end
  return true
end

local function grant(p, now)
  skipUnused(p, now)
  local interval = ${tuned.WINDOW_MS} / onCurve(p)
  if now - p.recentSince >= ${tuned.COUNT_MS} then
    p.olderWrites, p.olderSince, p.middleWrites, p.middleSince = p.middleWrites, p.middleSince, p.recentWrites, p.recentSince
    p.recentWrites, p.recentSince = 0, now
  end
  p.recentWrites, p.middleWrites, p.olderWrites = p.recentWrites + 1, p.middleWrites + 1, p.olderWrites + 1
  if p.unusedMs == 0 then p.grownMs = p.grownMs + interval end
  p.unusedMs = max(0, p.unusedMs - interval)
  p.slotAt = p.slotAt + interval
end

local function throttle(p, now, wait, told)
  skipUnused(p, now)
  local followUp = now < p.resumeAt or now < p.throttledAt + ${tuned.WINDOW_MS}
  if followUp then
    p.episodeWrites = max(0, p.episodeWrites + p.olderWrites - (now < p.resumeAt and 1 or 0))
  else
    p.throttledAt, p.episodeWrites, p.episodeSince = now, max(0, p.olderWrites - 1), p.olderSince
  end
  local present = onCurve(p)
  local til = min(now, p.throttledAt + ${tuned.WINDOW_MS})
  if told then til = wait > ${tuned.WINDOW_MS} and now or now + max(0, wait - ${tuned.ROUNDED_UP_MS}) end
  local elapsed = max(0, til - p.episodeSince)
  local missing = max(0, ${tuned.SHORTEST_MEASURE_MS} - elapsed)
  local taken = (p.episodeWrites * ${tuned.WINDOW_MS} + present * missing) / (elapsed + missing)
  local highest = followUp and p.ceilingPer20s or present
  local measured = max(${tuned.LEAST_PER_20S}, present * ${tuned.LARGEST_FALL_TO}, min(highest, taken))
  local difference = abs(measured / p.ceilingPer20s - 1)
  if difference > ${tuned.MOVED_BY} then p.returnMs = ${tuned.RETURN_AFTER_MOVE_MS}
  elseif not followUp then
    p.returnMs = max(${tuned.RETURN_MS}, min(${tuned.LONGEST_RETURN_MS}, p.returnMs * ${tuned.RETURN_GROWTH}))
  end
  if followUp then p.ceilingPer20s = measured
  else
    local settled = difference <= ${tuned.AGREES_WITHIN} and (p.ceilingPer20s + measured) / 2 or measured
    p.ceilingPer20s = min(present, settled)
  end
  p.grownMs = 0
  p.resumeAt = max(p.resumeAt, now + wait)
  p.slotAt = max(p.slotAt, p.resumeAt)
  local since = max(now, p.resumeAt - ${tuned.SEEN_OF_WAIT_MS})
  p.recentWrites, p.middleWrites, p.olderWrites = 0, 0, 0
  p.recentSince, p.middleSince, p.olderSince = since, since, since
end`;
