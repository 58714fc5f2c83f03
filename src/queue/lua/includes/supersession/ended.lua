--[[
  What the end of one delivery means for the others of its device and configuration.
]]
--- @include "record-header"
--- @include "waiting-list/keys"
--- @include "supersession/results"
--- @include "index/change-status"
--- @include "summaries"

-- How many superseded deliveries keep their run result: each returns to its waiting list if all newer ones die.
local KEPT_WHOLE = 8

-- Ends a superseded delivery for good: its run result is removed.
local function endForGood(results, instant, id, dedupeWindowMs)
  local key = ROOT .. ':' .. id
  local record = redis.call('GET', key)
  local withoutRun = string.match(record, '^([^\n]*\n[^\n]*\n)')
  redis.call('SET', key, withoutRun, 'PX', dedupeWindowMs)
  if withoutRun ~= record then redis.call('HINCRBY', COUNTS, 'bytes', -#record) end
  redis.call('ZREM', results, instant .. ' ' .. id)
end

local function keepFewSuperseded(results, dedupeWindowMs)
  local kept = 0
  eachResult(results, function(instant, id, status)
    if status ~= SUPERSEDED then return end
    kept = kept + 1
    if kept > KEPT_WHOLE then endForGood(results, instant, id, dedupeWindowMs) end
  end)
end

-- Once nothing in the set is open or can come back, it is remembered for as long as what was created.
local function expireResults(results, dedupeWindowMs)
  local isAwaited = eachResult(results, function(_, _, status) return status ~= DELIVERED end)
  if not isAwaited then redis.call('PEXPIRE', results, dedupeWindowMs) end
end

-- Of those created only the newest is kept in the set, and nothing older comes back.
local function onCreated(results, instant, id, dedupeWindowMs)
  eachResult(results, function(otherInstant, other, status)
    if status == SUPERSEDED and otherInstant < instant then
      endForGood(results, otherInstant, other, dedupeWindowMs)
    elseif status == DELIVERED and other ~= id then
      if otherInstant > instant then redis.call('ZREM', results, instant .. ' ' .. id)
      else redis.call('ZREM', results, otherInstant .. ' ' .. other) end
    end
  end)
  expireResults(results, dedupeWindowMs)
end

-- Returns a superseded delivery to the end of its waiting list. Its revision grows by a random number, see record.ts.
local function comeBack(id, step)
  local key = ROOT .. ':' .. id
  local record = redis.call('GET', key)
  local rev, _, at, rank, _, identity, configuration = parseHeader(record)
  local position = redis.call('HINCRBY', COUNTS, 'joined:' .. rank, 1)
  local fields = {rev + step, QUEUED, at, rank, position, identity, configuration ~= '' and configuration or nil}
  local queued = table.concat(fields, ' ') .. string.sub(record, string.find(record, '\n', 1, true), -1)
  redis.call('SET', key, queued)
  redis.call('HINCRBY', COUNTS, 'bytes', #queued - #record)
  redis.call('RPUSH', waitingList(rank), id)
  redis.call('HINCRBY', COUNTS, 'superseded', -1)
  redis.call('HINCRBY', COUNTS, 'queued', 1)
  changeStatus(identity, id, QUEUED)
  countEnd(tonumber(at), configuration, SUPERSEDED, QUEUED)
end

-- The newest that is left takes the place of one that died, and comes back if it was superseded. Returns its id.
local function onDied(results, instant, id, dedupeWindowMs, step)
  redis.call('ZREM', results, instant .. ' ' .. id)
  local newest, heir
  eachResult(results, function(otherInstant, other, status)
    if newest and otherInstant ~= newest then return true end
    newest, heir = otherInstant, heir or other
    if status == SUPERSEDED then comeBack(other, step) end
  end)
  expireResults(results, dedupeWindowMs)
  return heir
end
