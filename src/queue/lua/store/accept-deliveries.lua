--[[
  Stores run results that arrived together, each run once, and promotes as many deliveries as there is room for.

  KEYS[1..11]  the waiting list's, see includes/waiting-list/keys.lua
  ARGV[1..3]   the waiting list's
  ARGV[4]      how many run results follow, thirteen arguments each:
               delivery id
               the same as four numbers of 32 bits
               instant of acceptance
               identity: the fingerprint and the search hashes of device and run
               rank
               record without its header
               supersession key, '' if it takes no part
               instant of completion, '' if it takes no part
               configuration key
               device key
               name of the device
               run state
               revision

  Reply: {answers, promoted ids, due, {left by rank}, {joined by rank}}: how many promoted deliveries are due, and how
  many ever left and joined each waiting list. An answer is the position in its waiting list; or {'accepted', position,
  older id or '', newer id or ''} where it may supersede another; or {'duplicate' or 'other', record} where the run is
  known, 'other' if its identity differs, 'newer' if a newer version wrote it; or {'compacted', entry in hex} where only that
  is left of it. A repeated call gets '' for that record.
]]
--- @include "record-header"
--- @include "waiting-list/promote"
--- @include "supersession/results"
--- @include "supersession/join"
--- @include "index/add-row"
--- @include "devices/note-report"
--- @include "summaries"
--- @include "compacted/entries"

local ARGS_EACH = 13

local entries = tonumber(ARGV[OWN_ARGS + 1])
local answers, joined, joinedBytes, accepted, known = {}, {}, 0, 0, {}
local filling = readFilling('ix:new')
local position, summarised = {}, {}
for rank = 0, RANK_COUNT - 1 do
  position[rank], joined[rank] = tonumber(redis.call('HGET', COUNTS, 'joined:' .. rank) or 0), {}
end

-- Returns the ids of the delivery it supersedes and of the one that supersedes it; equal instants do neither.
local function compare(results, instant, id)
  local newest = newestOf(results)
  joinResults(results, instant, id)
  if not newest or newest[1] == instant then return '', '' end
  if instant > newest[1] then return newest[2], '' end
  return '', newest[2]
end

for entry = 1, entries do
  local first = OWN_ARGS + 2 + (entry - 1) * ARGS_EACH
  local id, numbers, at, identity, rank, body, supersessionKey, instant, configuration, device, name, state, rev =
    unpack(ARGV, first, first + ARGS_EACH - 1)
  rank = tonumber(rank)
  local key = ROOT .. ':' .. id
  local found = redis.call('GET', key)
  local compacted = not found and findCompactedBy(numbers)
  if found then
    if isOfNewer(found) then
      answers[entry] = {'newer', found}
    else
      local _, _, _, _, _, foundIdentity = parseHeader(found)
      answers[entry] = {withoutPlace(foundIdentity) == identity and 'duplicate' or 'other', found}
    end
    known[#known + 1] = entry
  elseif compacted then
    answers[entry] = {'compacted', toHex(compacted)}
  else
    local nextPosition = position[rank] + 1
    local chunk = chunkFor(filling, tonumber(at))
    local fields = {rev, QUEUED, at, rank, nextPosition, withPlace(identity, chunk, filling.rows), configuration}
    local record = table.concat(fields, ' ') .. '\n' .. body
    redis.call('SET', key, record)
    position[rank] = nextPosition
    joined[rank][#joined[rank] + 1] = id
    accepted, joinedBytes = accepted + 1, joinedBytes + #record
    addRow(filling, id, at, identity, QUEUED, configuration)
    noteReport(device, name, configuration, state, at, id)
    collectAccepted(summarised, tonumber(at), configuration, state)
    answers[entry] = nextPosition
    if supersessionKey ~= '' then
      local older, newer = compare(ROOT .. ':c:' .. supersessionKey, instant, id)
      answers[entry] = {'accepted', nextPosition, older, newer}
    end
  end
end
saveFilling(filling)
if accepted > 0 then
  for rank = 0, RANK_COUNT - 1 do
    if #joined[rank] > 0 then
      redis.call('HSET', COUNTS, 'joined:' .. rank, position[rank])
      redis.call('RPUSH', waitingList(rank), unpack(joined[rank]))
    end
  end
  redis.call('HINCRBY', COUNTS, 'queued', accepted)
  redis.call('HINCRBY', COUNTS, 'bytes', joinedBytes)
  countAccepted(summarised)
end

local promoted = accepted > 0 and promote(accepted) or {}
local left, everJoined = {}, {}
for rank = 0, RANK_COUNT - 1 do
  left[rank + 1] = tonumber(redis.call('HGET', COUNTS, 'left:' .. rank) or 0)
  everJoined[rank + 1] = position[rank]
end
local function reply(toAnswers) return {toAnswers, promoted, countDue(), left, everJoined} end
if accepted == 0 then return reply(answers), false end
if #known == 0 then return reply(answers) end
-- Kept for a repeated call without the records of known runs, which may be long: they are read again.
local brief = {unpack(answers)}
for _, entry in ipairs(known) do brief[entry] = {answers[entry][1], ''} end
return reply(answers), reply(brief)
