--[[
  Ends a replay: what it has not replayed stays a dead letter, and what it did is kept for a while.
]]
local function endReplay(replay, left, claimed, counts, state, now, keptMs)
  redis.call('HSET', replay, 'state', state, 'endedAt', now)
  redis.call('HDEL', replay, 'tokens', 'at', 'driver', 'leaseUntil')
  redis.call('PEXPIRE', replay, keptMs)
  -- A million of them are freed by another thread: it would block Redis for a fifth of a second.
  redis.call('UNLINK', left, claimed)
  redis.call('HDEL', counts, 'replaying')
end
