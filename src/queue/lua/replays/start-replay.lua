--[[
  Starts the replay of the dead letters that were collected for it, unless another one of the tenant is open.

  KEYS[1]  replays, by when they were started
  KEYS[2]  counts
  KEYS[3]  the new replay
  KEYS[4]  its dead letters, by instant of death
  ARGV[1]  prefix of the replays' keys
  ARGV[2]  its id
  ARGV[3]  its filter, as JSON
  ARGV[4]  dead letters a second
  ARGV[5]  who starts it, or ''
  ARGV[6]  how many replays are kept

  Reply: 'started', 'open' (another one is), or 'none' (nothing was collected)
]]
--- @include "replays/now"

local REPLAYS, COUNTS, REPLAY, LEFT = unpack(KEYS)
local prefix, id, filter, perSecond, by, kept = unpack(ARGV)

-- An open one is always the latest, since no other is started meanwhile.
local latest = redis.call('ZREVRANGE', REPLAYS, 0, 0)[1]
local state = latest and redis.call('HGET', prefix .. latest, 'state')
if state == 'running' or state == 'paused' then return 'open', false end
local matched = redis.call('ZCARD', LEFT)
if matched == 0 then return 'none', false end

redis.call('PERSIST', LEFT)
redis.call('HSET', REPLAY, 'filter', filter, 'perSecond', perSecond, 'by', by, 'state', 'running', 'startedAt', now,
  'matched', matched, 'replayed', 0, 'skipped', 0, 'tokens', 1, 'at', now)
-- Later than the latest even if the clock was set back.
local latestAt = latest and tonumber(redis.call('ZSCORE', REPLAYS, latest)) or 0
redis.call('ZADD', REPLAYS, math.max(now, latestAt + 1), id)
for _, old in ipairs(redis.call('ZREVRANGE', REPLAYS, tonumber(kept), -1)) do
  redis.call('DEL', prefix .. old)
  redis.call('ZREM', REPLAYS, old)
end
redis.call('HSET', COUNTS, 'replaying', id)
return 'started'
