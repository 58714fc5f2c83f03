--[[
  Pauses, resumes or cancels a replay, if it is still in the state in which that was decided.

  KEYS[1]  counts
  KEYS[2]  the replay
  KEYS[3]  its dead letters that are left
  KEYS[4]  its dead letters that are claimed
  ARGV[1]  its id
  ARGV[2]  the state it is expected in
  ARGV[3]  the state that follows
  ARGV[4]  milliseconds for which a replay is kept once it has ended

  Reply: 1, or 0 if it is in another state
]]
--- @include "replays/now"
--- @include "replays/end"

local COUNTS, REPLAY, LEFT, CLAIMED = unpack(KEYS)
local id, from, to, keptMs = unpack(ARGV)

if redis.call('HGET', REPLAY, 'state') ~= from then return 0, false end
if to == 'cancelled' then
  endReplay(REPLAY, LEFT, CLAIMED, COUNTS, to, now, keptMs)
  return 1
end
redis.call('HSET', REPLAY, 'state', to)
if to == 'running' then
  -- Nothing is caught up on: a pause is meant.
  local tokens = tonumber(redis.call('HGET', REPLAY, 'tokens'))
  redis.call('HSET', REPLAY, 'tokens', math.min(1, tokens), 'at', now)
  redis.call('HSET', COUNTS, 'replaying', id)
else
  redis.call('HDEL', REPLAY, 'driver', 'leaseUntil')
  redis.call('HDEL', COUNTS, 'replaying')
end
return 1
