--[[
  Saves the next state of a delivery unless it was changed since it was read, with all that follows from its status:
  counts, waiting lists, dead letters, index, summary, and the other results of its device and configuration.

  KEYS[1..11]  the waiting list's, see includes/waiting-list/keys.lua
  KEYS[12]     the delivery's record
  KEYS[13]     dead letters
  KEYS[14]     deliveries that ended lately
  KEYS[15]     who has claimed its record in Graph; missing if it has none
  ARGV[1..3]   the waiting list's
  ARGV[4]      expected revision
  ARGV[5]      status code
  ARGV[6]      record without its header
  ARGV[7]      delivery id
  ARGV[8]      current time in milliseconds
  ARGV[9]      milliseconds for which a delivered run is remembered
  ARGV[10]     milliseconds until the next attempt, 0 if none follows
  ARGV[11]     id of the delivery that supersedes it, or ''
  ARGV[12]     supersession key, or ''
  ARGV[13]     instant of completion, or ''
  ARGV[14]     what reads as the owner of the claim it may take over, or ''
  ARGV[15]     id of the replay at a rate that puts it back into the queue, or ''
  ARGV[16]     milliseconds for which all of a delivered run is kept; after that only what recognises it
  ARGV[17]     instant of delivery, 0 if it is not delivered
  ARGV[18]     the hash by which its device is recognised
  ARGV[19]     the hash of the record's id in Graph, or ''
  ARGV[20]     1 if its last attempt created that record, else 0
  ARGV[21]     its revision from now on

  Reply: 'gone' (no such delivery), 'stale' (changed since, also by a newer version, or not claimed by that replay; or an attempt is to begin before a move), 'claimed' (another delivery has its record in Graph),
  'saved', or {'saved', id of the delivery that takes its place}
]]
--- @include "record-header"
--- @include "waiting-list/put-off"
--- @include "waiting-list/leave"
--- @include "supersession/results"
--- @include "supersession/join"
--- @include "supersession/ended"
--- @include "index/change-status"
--- @include "summaries"
--- @include "replays/claimed"
--- @include "compacted/compact"
--- @include "draining"

-- How many of the deliveries that ended are remembered by id.
local ENDED_REMEMBERED = 100

local RECORD, DEAD_LETTERS, ENDED, CLAIM = unpack(KEYS, OWN_KEYS + 1)
local expectedRev, to, body, id, now, dedupeWindowMs, waitMs, newer, supersessionKey, instant, claimedBy,
  replayId, keptMs, deliveredAt, deviceTag, claimHash, created, nextRev = unpack(ARGV, OWN_ARGS + 1)
local results = supersessionKey ~= '' and ROOT .. ':c:' .. supersessionKey or nil

local known = redis.call('GET', RECORD)
if not known then return 'gone', false end
local rev, from, at, rank, position, identity, configuration = parseHeader(known)
if rev ~= expectedRev then return 'stale', false end
if to == DELIVERING and isDraining(RECORD) then return 'stale', false end
local replay = replayId ~= '' and ROOT .. ':replay:' .. replayId or nil
if replay and not isClaimed(replay, DEAD_LETTERS, id) then return 'stale', false end
local newerStatus = newer ~= '' and statusOf(newer) or nil
if newer ~= '' and not isOpenOrCreated(newerStatus) then return 'stale', false end
local owner = CLAIM and ownerOf(CLAIM, claimHash)
if owner and owner ~= id and owner ~= claimedBy then return 'claimed', false end
local isCompacted = to == DELIVERED and tonumber(keptMs) < tonumber(dedupeWindowMs) and isCompactable(identity)
local wholeForMs = isCompacted and keptMs or dedupeWindowMs
if CLAIM then redis.call('SET', CLAIM, id, 'PX', wholeForMs) end
if isCompacted then
  local run = {
    id = id, identity = identity, acceptedAt = at, deliveredAt = deliveredAt, deviceTag = deviceTag,
    claimHash = claimHash, created = created,
  }
  compact(run, dedupeWindowMs)
end

local isNewStatus = from ~= to
local isReplayed = isNewStatus and from == DEAD
if isReplayed then
  position = redis.call('HINCRBY', COUNTS, 'joined:' .. rank, 1)
  redis.call('RPUSH', waitingList(rank), id)
  redis.call('ZREM', DEAD_LETTERS, id)
  if replay then countClaimed(replay, id, 'replayed') end
end
-- A delivery under way is a promoted one, also if a worker took it up before the waiting list promoted it.
if to == DELIVERING then
  redis.call('ZADD', PROMOTED, at, id)
  redis.call('SREM', RETRYING, id)
end
putOff(id, tonumber(waitMs))

local fields = {nextRev, to, at, rank, position, identity, configuration ~= '' and configuration or nil}
local record = table.concat(fields, ' ') .. '\n' .. body
-- Bytes that count as open: one that was superseded and may come back is kept whole as well.
local function openBytes(status, text)
  local isWhole = isOpen(status) or (status == SUPERSEDED and string.sub(text, -1) ~= '\n')
  return isWhole and #text or 0
end
redis.call('HINCRBY', COUNTS, 'bytes', openBytes(to, record) - openBytes(from, known))
if to == DELIVERED then redis.call('SET', RECORD, record, 'PX', wholeForMs) else redis.call('SET', RECORD, record) end

if results and isOpen(to) and isReplayed then joinResults(results, instant, id) end
if results and to == SUPERSEDED then
  joinResults(results, instant, id)
  if newerStatus == DELIVERED then endForGood(results, instant, id, dedupeWindowMs)
  else keepFewSuperseded(results, dedupeWindowMs) end
  expireResults(results, dedupeWindowMs)
end

if not isNewStatus then return 'saved' end
redis.call('HINCRBY', COUNTS, STATUS_NAMES[from], -1)
redis.call('HINCRBY', COUNTS, STATUS_NAMES[to], 1)
changeStatus(identity, id, to)
countEnd(tonumber(at), configuration, from, to, now - at)
if isOpen(to) then return 'saved' end
leave(id, configuration)
redis.call('LPUSH', ENDED, id)
redis.call('LTRIM', ENDED, 0, ENDED_REMEMBERED - 1)
if to == DEAD then redis.call('ZADD', DEAD_LETTERS, now, id) end
if results and to == DELIVERED then onCreated(results, instant, id, dedupeWindowMs) end
local heir = results and to == DEAD and onDied(results, instant, id, dedupeWindowMs, nextRev - rev)
return heir and {'saved', heir} or 'saved'
