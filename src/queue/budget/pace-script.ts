// The learned pace of src/domain/pace/pace.ts once more, in Lua: Redis learns in the same step that gives a slot.
import { ANY_PER_20S, WRITES_OF_ANY } from '../../domain/pace/request-limit.ts';
import { NEVER_REFUSED } from '../../domain/pace/evidence.ts';
import { PACE_MEMBERS } from '../../domain/pace/pace.ts';
import * as tuned from '../../domain/pace/tuning.ts';

/** Where the budget keeps each number of the pace. */
export const PACE_FIELDS = PACE_MEMBERS.map((member) => `pace.${member}`);

/** Instants in milliseconds. Line by line what `grant` and `throttle` there do; a test plays any history to both. */
export const PACE = `
local MEMBERS = {${PACE_MEMBERS.map((member) => `'${member}'`).join(',')}}
local max, min, abs = math.max, math.min, math.abs

local INSTANTS = {'slotAt', 'throttledAt', 'resumeAt', 'recentSince', 'middleSince', 'olderSince', 'episodeSince',
  'spanSince', 'filledSince', 'loneAt', 'provingSince'}
local EVIDENCE_SINCE = {'recentSince', 'middleSince', 'olderSince', 'episodeSince'}

local function create(start, now)
  return {
    startPer20s = start, ceilingPer20s = start,
    returnMs = ${tuned.RETURN_AFTER_MOVE_MS}, grownMs = ${tuned.RETURN_AFTER_MOVE_MS}, unusedMs = 0,
    slotAt = now, throttledAt = now - ${tuned.WINDOW_MS}, resumeAt = now - ${tuned.WINDOW_MS},
    recentWrites = 0, recentSince = now, middleWrites = 0, middleSince = now, olderWrites = 0, olderSince = now,
    episodeWrites = 0, episodeSince = now, triedWrites = ${NEVER_REFUSED},
    windowMs = ${tuned.WINDOW_MS}, spanWrites = 0, spanSince = now, filledWrites = 0, filledSince = now,
    filledPer20s = 0, earlierPer20s = 0,
    heat = 0, noise = 0, loneAt = now - ${tuned.WINDOW_MS}, hasMetLimit = 0,
    provenPer20s = 0, provingWrites = 0, provingSince = now,
  }
end

-- What an older version did not keep begins anew; what it learned stays.
local function load(key, start, now)
  local found = redis.call('HMGET', key, ${PACE_FIELDS.map((field) => `'${field}'`).join(',')})
  local p = create(start, now)
  for i, member in ipairs(MEMBERS) do p[member] = tonumber(found[i] or nil) or p[member] end
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

local function isNoisy(noise) return noise >= ${tuned.NOISE} end

local function onCurve(p)
  local beyond = p.grownMs - p.returnMs
  local change
  if beyond < 0 then
    change = (isNoisy(p.noise) and ${1 - tuned.FALL_TO_AMID_NOISE} or ${1 - tuned.FALL_TO}) * (beyond / p.returnMs) ^ 3
  else
    local slow = ${tuned.PROBE_MS} * p.windowMs / ${tuned.WINDOW_MS}
    local probed = beyond <= slow and beyond * ${tuned.WINDOW_MS} / p.windowMs or ${tuned.PROBE_MS} + beyond - slow
    change = ${tuned.PROBE_STEP} * (probed / ${tuned.PROBE_MS}) ^ 3
  end
  return max(${tuned.LEAST_PER_20S}, min(p.ceilingPer20s * (1 + change), most(p.startPer20s)))
end

local function move(p, instants, by)
  for _, instant in ipairs(instants) do p[instant] = p[instant] + by end
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
  move(p, EVIDENCE_SINCE, lost)
  move(p, {'slotAt', 'spanSince', 'filledSince', 'provingSince'}, lost)
end

-- A slot two intervals ahead was given by a clock that stepped back since: everything is moved back with it.
local function rewind(p, now)
  local interval = ${tuned.WINDOW_MS} / onCurve(p)
  if p.slotAt - now <= 2 * interval then return false end
  move(p, INSTANTS, now + interval - p.slotAt)
  return true
end

local function grant(p, now)
  skipUnused(p, now)
  local interval = ${tuned.WINDOW_MS} / onCurve(p)
  if now - p.recentSince >= p.windowMs / ${tuned.COUNTS_PER_WINDOW} then
    p.olderWrites, p.olderSince, p.middleWrites, p.middleSince = p.middleWrites, p.middleSince, p.recentWrites, p.recentSince
    p.recentWrites, p.recentSince = 0, now
  end
  for _, writes in ipairs({'recentWrites', 'middleWrites', 'olderWrites', 'triedWrites', 'spanWrites', 'provingWrites'}) do
    p[writes] = p[writes] + 1
  end
  p.heat = p.heat * ${1 - 1 / tuned.COOLING_WRITES}
  p.noise = p.noise * ${1 - 1 / tuned.NOISE_WRITES}
  if p.unusedMs == 0 then p.grownMs = p.grownMs + interval end
  p.unusedMs = max(0, p.unusedMs - interval)
  p.slotAt = p.slotAt + interval
end

local function prove(p, til)
  local elapsed = til - p.provingSince
  return elapsed < ${tuned.PROVE_MS} and 0 or max(0, p.provingWrites - 1) * ${tuned.WINDOW_MS} / elapsed
end

local function proveFrom(p, isAnew, til)
  if isAnew then p.provingWrites, p.provingSince = 0, til
  else p.provingWrites = max(0, p.provingWrites - 1) end
end

local function suspectNoise(p, til)
  local per20s, provenNow, wasNoisy = onCurve(p), prove(p, til), isNoisy(p.noise)
  p.provenPer20s = max(p.provenPer20s, provenNow)
  p.noise = min(${tuned.MOST_NOISE}, p.noise + (p.provenPer20s > 0 and per20s <= p.provenPer20s * ${1 - tuned.BELOW_PROVEN} and 1 or 0))
  if isNoisy(p.noise) and not wasNoisy then p.noise = p.noise + ${tuned.NOISE_PROVEN} end
  proveFrom(p, provenNow > 0, til)
end

local function meetLimit(p, isFull, til)
  local provenNow = prove(p, til)
  local kept = isFull and ${1 - tuned.VOID_BELOW} or ${1 - tuned.MOVED_BY}
  local isVoid = p.hasMetLimit == 0 or p.provenPer20s * kept > p.ceilingPer20s
  if isVoid then p.noise = 0 elseif isFull then p.noise = p.noise * ${tuned.NOISE_AFTER_FULL} end
  if isVoid then p.provenPer20s = 0 elseif provenNow > 0 then p.provenPer20s = provenNow end
  p.hasMetLimit = 1
  proveFrom(p, isVoid or provenNow > 0, til)
end

local function isReturning(p) return p.hasMetLimit == 1 and p.grownMs <= p.returnMs end

local function refusedAlone(p, now, til, wasNoisy)
  if wasNoisy then p.ceilingPer20s = max(${tuned.LEAST_PER_20S}, p.ceilingPer20s * ${1 - tuned.LONE_FALL_AMID_NOISE})
  elseif isNoisy(p.noise) then p.ceilingPer20s = max(p.ceilingPer20s, p.provenPer20s)
  elseif isReturning(p) then p.ceilingPer20s = max(${tuned.LEAST_PER_20S}, p.ceilingPer20s * ${1 - tuned.LONE_FALL}) end
  for _, writes in ipairs({'recentWrites', 'middleWrites', 'olderWrites', 'spanWrites'}) do
    p[writes] = max(0, p[writes] - 1)
  end
  p.triedWrites = 0
  local still = max(0, til - max(now, p.slotAt))
  move(p, EVIDENCE_SINCE, still)
  p.spanSince = p.spanSince + still
  p.slotAt = max(p.slotAt, til)
  p.loneAt = now
end

local function toldEnd(wait, window, now)
  return wait > window and now or now + max(0, wait - ${tuned.ROUNDED_UP_MS})
end

local function learnWindow(p, isFull, fullMs, til, isTimely)
  local span = til - p.filledSince
  p.filledPer20s = span > ${tuned.REMEMBERED_SPAN_MS} and 0 or p.filledWrites * ${tuned.WINDOW_MS} / max(1, span)
  local agrees = abs(p.filledPer20s - p.earlierPer20s) <= ${tuned.SPANS_AGREE_WITHIN} * p.earlierPer20s
  local isSpan = span >= ${tuned.WINDOW_MS} and span <= ${tuned.LONGEST_SPAN_MS} and p.earlierPer20s > 0
  local isWindow = isFull and isSpan and agrees
  local shortest = isFull and min(${tuned.LONGEST_WINDOW_MS}, ${tuned.WINDOW_PER_FULL} * fullMs) or 0
  local believed = shortest <= p.windowMs and isTimely and p.windowMs * ${tuned.WINDOW_SHRINK} or p.windowMs
  p.windowMs = max(${tuned.WINDOW_MS}, believed, shortest, isWindow and min(${tuned.LONGEST_WINDOW_MS}, span) or 0)
  return isWindow
end

local function episode(p, now, wait, told, followUp)
  local isTimely = not followUp and p.grownMs > p.returnMs
  local isStillFull = p.triedWrites > 0 and p.triedWrites <= ${tuned.STILL_FULL_WRITES}
  local isFull = told and not followUp or isStillFull
  if followUp then
    p.episodeWrites = max(0, p.episodeWrites + p.olderWrites - (now < p.resumeAt and 1 or 0))
  else
    p.throttledAt = now - p.loneAt < ${tuned.SAME_EPISODE_MS} and p.loneAt or now
    p.episodeWrites, p.episodeSince = max(0, p.olderWrites - 1), p.olderSince
    p.filledWrites, p.filledSince = max(0, p.spanWrites - 1), p.spanSince
    p.earlierPer20s = isTimely and 0 or p.filledPer20s
  end
  local present = onCurve(p)
  local full = told and toldEnd(wait, ${tuned.LONGEST_FULL_MS}, now) or now
  local isWindow = learnWindow(p, isFull, full - p.throttledAt, full, isTimely)
  local til = told and toldEnd(wait, p.windowMs, now) or min(now, p.throttledAt + p.windowMs)
  local elapsed = max(0, til - p.episodeSince)
  local missing = max(0, ${tuned.SHORTEST_MEASURE_MS} - elapsed)
  local taken = (p.episodeWrites * ${tuned.WINDOW_MS} + present * missing) / (elapsed + missing)
  if isWindow then taken = p.filledPer20s end
  local before, return_ = p.ceilingPer20s, p.returnMs
  local least = max(${tuned.LEAST_PER_20S}, present * ${tuned.LARGEST_FALL_TO})
  local measured = max(least, min(followUp and before or present, taken))
  local difference = abs(measured / before - 1)
  if isWindow then p.returnMs = max(${tuned.RETURN_MS}, return_)
  elseif difference > ${tuned.MOVED_BY} then p.returnMs = ${tuned.RETURN_AFTER_MOVE_MS}
  elseif not followUp then
    local isUnsure = isNoisy(p.noise) or measured > before * ${1 + tuned.AGREES_WITHIN}
    p.returnMs = isUnsure and ${tuned.RETURN_WHILE_UNSURE_MS} or max(${tuned.RETURN_MS}, min(${tuned.LONGEST_RETURN_MS}, return_ * ${tuned.RETURN_GROWTH}))
  end
  if followUp then p.ceilingPer20s = measured
  else
    local weight = difference > ${tuned.AGREES_WITHIN} and 1 or measured > before and ${tuned.HIGHER_WEIGHT} or ${tuned.LOWER_WEIGHT}
    p.ceilingPer20s = max(least, min(present, before + (measured - before) * weight))
  end
  p.resumeAt = max(p.resumeAt, now + wait)
  if not told then
    p.resumeAt = max(p.resumeAt, min(now + p.windowMs * ${tuned.MOST_MADE_UP}, p.episodeSince + p.episodeWrites * ${tuned.WINDOW_MS} / before))
  end
  meetLimit(p, isFull and not told, p.resumeAt)
  p.grownMs = 0
  p.slotAt = max(p.slotAt, p.resumeAt)
  local since = max(now, p.resumeAt - ${tuned.SEEN_OF_WAIT_MS})
  p.recentWrites, p.middleWrites, p.olderWrites, p.triedWrites, p.spanWrites = 0, 0, 0, 0, 0
  p.recentSince, p.middleSince, p.olderSince, p.spanSince = since, since, since, since
end

local function throttle(p, now, wait, told)
  p.heat = p.heat + 1
  skipUnused(p, now)
  local wasNoisy = isNoisy(p.noise)
  local isUntaken = p.hasMetLimit == 1 and p.spanWrites <= ${tuned.STILL_FULL_WRITES}
  local followed = isUntaken and ${tuned.LONGEST_WINDOW_MS} or ${tuned.WINDOW_MS}
  local followUp = now < p.resumeAt or now < p.throttledAt + followed
  local isStillFull = p.triedWrites > 0 and p.triedWrites <= ${tuned.STILL_FULL_WRITES}
  local isFull = isStillFull or told and wait > ${tuned.LONGEST_LONE_WAIT_MS}
  local isAlone = p.heat < (wasNoisy and ${tuned.EPISODE_HEAT_AMID_NOISE} or ${tuned.EPISODE_HEAT})
  if followUp or isFull or not isAlone then return episode(p, now, wait, told, followUp) end
  if isReturning(p) then suspectNoise(p, now + wait) end
  local isUnproven = not told and (isReturning(p) or p.hasMetLimit == 0)
  if isNoisy(p.noise) or isUnproven then refusedAlone(p, now, now + wait, wasNoisy)
  else episode(p, now, wait, told, followUp) end
end`;
