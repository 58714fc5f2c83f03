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
    recentWrites = 0, recentSince = now, olderWrites = 0, olderSince = now,
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
  p.slotAt, p.recentSince, p.olderSince = p.slotAt + lost, p.recentSince + lost, p.olderSince + lost
end

-- A slot two intervals ahead was given by a clock that stepped back since: everything is moved back with it.
local function rewind(p, now)
  local interval = ${tuned.WINDOW_MS} / onCurve(p)
  if p.slotAt - now <= 2 * interval then return false end
  local steppedBack = p.slotAt - interval - now
  for _, instant in ipairs({'slotAt', 'throttledAt', 'resumeAt', 'recentSince', 'olderSince'}) do
    p[instant] = p[instant] - steppedBack
  end
  return true
end

local function grant(p, now)
  skipUnused(p, now)
  local interval = ${tuned.WINDOW_MS} / onCurve(p)
  if now - p.recentSince >= ${tuned.WINDOW_MS} then
    p.olderWrites, p.olderSince, p.recentWrites, p.recentSince = p.recentWrites, p.recentSince, 0, now
  end
  p.recentWrites, p.olderWrites = p.recentWrites + 1, p.olderWrites + 1
  if p.unusedMs == 0 then p.grownMs = p.grownMs + interval end
  p.unusedMs = max(0, p.unusedMs - interval)
  p.slotAt = p.slotAt + interval
end

local function throttle(p, now, wait, told)
  skipUnused(p, now)
  local same = now < p.resumeAt or now < p.throttledAt + ${tuned.IN_FLIGHT_MS}
    or (now < p.resumeAt + ${tuned.WAITED_TOO_SHORT_MS} and now < p.throttledAt + ${tuned.WINDOW_MS})
  p.recentWrites, p.olderWrites = max(0, p.recentWrites - 1), max(0, p.olderWrites - 1)
  p.resumeAt = max(p.resumeAt, now + wait)
  p.slotAt = max(p.slotAt, p.resumeAt)
  if not same then
    local present = onCurve(p)
    local til = now
    if told and wait <= ${tuned.WINDOW_MS} then til = now + max(0, wait - ${tuned.ROUNDED_UP_MS}) end
    local elapsed = max(0, til - p.olderSince)
    local missing = max(0, ${tuned.SHORTEST_MEASURE_MS} - elapsed)
    local taken = (p.olderWrites * ${tuned.WINDOW_MS} + present * missing) / (elapsed + missing)
    local ceiling = max(${tuned.LEAST_PER_20S}, present * ${tuned.LARGEST_FALL_TO}, min(present, taken))
    local moved = abs(ceiling / p.ceilingPer20s - 1) > ${tuned.MOVED_BY}
    p.returnMs = moved and ${tuned.RETURN_AFTER_MOVE_MS}
      or max(${tuned.RETURN_MS}, ${tuned.RETURN_WRITES} / ceiling * ${tuned.WINDOW_MS})
    p.ceilingPer20s, p.grownMs, p.throttledAt = ceiling, 0, now
  end
  if told or not same then
    local since = told and max(now, p.resumeAt - ${tuned.SEEN_OF_WAIT_MS}) or now
    p.recentWrites, p.olderWrites, p.recentSince, p.olderSince = 0, 0, since, since
  end
end`;
