--[[
  Summaries by day of acceptance and configuration: how many results were accepted, by state; how many ended, by end; how
  many took how long to be created. Each is a string of counters, and each day has a list of its configurations.
  Needs ROOT, the prefix of the tenant's keys.
]]
local COUNTER_BYTES = 4
local MOST = 4294967295

local function summaryKey(day, configuration) return ROOT .. ':sum:' .. day .. ':' .. configuration end

-- How many milliseconds into its day the first result was accepted; nothing if there is no such summary.
local function firstIn(summary)
  local first = redis.call('GETRANGE', summary, 0, COUNTER_BYTES - 1)
  return first ~= '' and struct.unpack('>I4', first) or nil
end

local function addToCounter(summary, number, count)
  local at = number * COUNTER_BYTES
  local before = struct.unpack('>I4', redis.call('GETRANGE', summary, at, at + COUNTER_BYTES - 1))
  redis.call('SETRANGE', summary, at, struct.pack('>I4', math.max(0, math.min(MOST, before + count))))
end

-- The day's summary of a configuration, or else the one that further configurations share; nothing if there is neither.
local function findSummary(day, configuration)
  for _, name in ipairs({configuration, SHARED_SUMMARY}) do
    local summary = summaryKey(day, name)
    local first = firstIn(summary)
    if first then return summary, first end
  end
end

-- Returns nothing if the day is so long ago that its summaries have expired, as by a wrong clock.
local function beginSummary(day, configuration, first)
  local list, expiresAt = ROOT .. ':sum:' .. day, string.format('%.0f', (day + 1 + SUMMARIES_KEPT_DAYS) * DAY_MS)
  redis.call('SET', list, '', 'NX', 'PXAT', expiresAt)
  local names = redis.call('GET', list)
  if not names then return end
  local name = #names < SUMMARISED_PER_DAY * CONFIGURATION_BYTES and configuration or SHARED_SUMMARY
  local summary = summaryKey(day, name)
  redis.call('APPEND', list, name)
  local counters = struct.pack('>I4', first) .. string.rep('\0', SUMMARY_BYTES - COUNTER_BYTES)
  redis.call('SET', summary, counters, 'PXAT', expiresAt)
  return summary
end

-- Collects what a call accepted, so that a batch costs little more than one result.
local function collectAccepted(collected, at, configuration, state)
  local day, first = math.floor(at / DAY_MS), at % DAY_MS
  local name = summaryKey(day, configuration)
  local group = collected[name]
  if not group then
    group = {day = day, configuration = configuration, first = first, states = {}}
    collected[name] = group
    collected[#collected + 1] = group
  end
  group.first = math.min(group.first, first)
  group.states[state] = (group.states[state] or 0) + 1
end

local function countAccepted(collected)
  for _, group in ipairs(collected) do
    local summary, first = findSummary(group.day, group.configuration)
    if not summary then
      summary = beginSummary(group.day, group.configuration, group.first)
    elseif group.first < first then
      redis.call('SETRANGE', summary, 0, struct.pack('>I4', group.first))
    end
    for state, count in pairs(summary and group.states or {}) do
      addToCounter(summary, tonumber(SUMMARY_COUNTERS[state]), count)
    end
  end
end

local function latencyBucket(tookMs)
  if tookMs < LATENCY_FROM_MS then return 0 end
  local steps = math.floor(math.log(tookMs / LATENCY_FROM_MS) / math.log(2) * BUCKETS_PER_DOUBLING)
  return math.min(LATENCY_BUCKETS - 1, 1 + steps)
end

-- Counts a new status, by its code: one end more, or one less where the delivery had ended before. Deliveries accepted
-- before there was a summary are not in it, so their ends are not either. `tookMs` counts if it was delivered.
local function countEnd(at, configuration, from, to, tookMs)
  local left, reached = SUMMARY_COUNTERS[STATUS_NAMES[from]], SUMMARY_COUNTERS[STATUS_NAMES[to]]
  if not left and not reached then return end
  local summary, first = findSummary(math.floor(at / DAY_MS), configuration)
  if not summary or at % DAY_MS < first then return end
  if left then addToCounter(summary, tonumber(left), -1) end
  if reached then addToCounter(summary, tonumber(reached), 1) end
  if to == DELIVERED then addToCounter(summary, FIRST_BUCKET + latencyBucket(tookMs), 1) end
end
