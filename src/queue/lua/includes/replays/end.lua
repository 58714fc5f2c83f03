--[[
  Ends a replay: what it has not replayed stays a dead letter, and what it did is kept for a while.
]]
local function endReplay(replay, left, claimed, counts, state, now, keptMs)
  redis.call('HSET', replay, 'state', state, 'endedAt', now)
  redis.call('HDEL', replay, 'tokens', 'at', 'driver', 'leaseUntil')
  redis.call('PEXPIRE', replay, keptMs)
  redis.call('DEL', left, claimed)
  redis.call('HDEL', counts, 'replaying')
end
