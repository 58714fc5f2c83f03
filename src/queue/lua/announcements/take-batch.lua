--[[
  Takes all announcements that wait as a batch, to be queued as messages. They wait for a moment, so that those of one
  event come together, and in a storm until the allowance has room again. A batch that a process took and did not queue
  is taken again.

  KEYS[1]  announcements that are to be sent
  KEYS[2]  rounds
  ARGV[1]  id for a new batch
  ARGV[2]  milliseconds for which announcements are collected
  ARGV[3]  how many batches the allowance has room for
  ARGV[4]  milliseconds in which it gets room for one more

  Reply: {id, {announcement…}, {type, how many were not kept, type…}} of a batch, or 0 if there is none now
]]
local PENDING, ROUNDS = unpack(KEYS)
local id, collectMs, most, refillMs = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function batch(known, size)
  local lost = {}
  local fields = redis.call('HGETALL', ROUNDS)
  for i = 1, #fields, 2 do
    local type = string.match(fields[i], '^lost:(.+)$')
    if type then
      lost[#lost + 1], lost[#lost + 2] = type, fields[i + 1]
      redis.call('HDEL', ROUNDS, fields[i])
    end
  end
  return {known, redis.call('LRANGE', PENDING, 0, size - 1), lost}
end

local known, size, since, left, at = unpack(redis.call('HMGET', ROUNDS, 'batch', 'size', 'since', 'left', 'at'))
if known then return batch(known, tonumber(size)) end
local waiting = redis.call('LLEN', PENDING)
if waiting == 0 then return 0, false end
-- A clock that stepped back delays nothing.
local waitedMs = now - tonumber(since or 0)
if waitedMs >= 0 and waitedMs < collectMs then return 0, false end
local elapsedMs = now - tonumber(at or now)
local refilled = elapsedMs < 0 and most or elapsedMs / refillMs
local allowance = math.min(most, tonumber(left or most) + refilled)
if allowance < 1 then return 0, false end
redis.call('HSET', ROUNDS, 'batch', id, 'size', waiting, 'left', tostring(allowance - 1), 'at', now)
return batch(id, waiting)
