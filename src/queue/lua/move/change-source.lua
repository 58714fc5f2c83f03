--[[
  Takes the next step of a move at the Redis that has the data so far, if the run still has the lock and nobody was faster.

  KEYS[1]   the lock
  KEYS[2]   the move
  KEYS[3]   counts
  KEYS[4]   past moves
  ARGV[1]   the run
  ARGV[2]   the move's id, '' if there is no move
  ARGV[3]   the state it is expected in, '' if there is no move
  ARGV[4]   the state that follows, '' if the move is forgotten
  ARGV[5]   what becomes of the tenant: 'drain' (no attempt begins for a while), 'close' (nobody works on it), 'stay-closed', 'open', or 'keep'
  ARGV[6]   what processes are told while it is closed
  ARGV[7…]  field of the move, value, field, value…

  Reply: 'changed'; 'lost' (another run has the lock); or 'stale' (another move, in another state, or no longer closed although it should be)
]]
local LOCK, MOVE, COUNTS, PAST = unpack(KEYS)
local run, id, from, to, tenant, told = unpack(ARGV)

if redis.call('GET', LOCK) ~= run then return 'lost' end
local role, state, known = unpack(redis.call('HMGET', MOVE, 'role', 'state', 'id'))
-- What came from elsewhere, and is at its end, makes room when the next move begins.
if role == 'to' and state == 'opened' and from == '' then
  redis.call('HSET', PAST, known, 'arrived')
  redis.call('DEL', MOVE)
  state, known = false, false
end
if (state or '') ~= from or (known or '') ~= id then return 'stale' end
local format = redis.call('HGET', COUNTS, 'format')
local isClosed = format == tostring(CLOSED_FORMAT)
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
-- A failover may have lost that, and then the data may have changed.
if tenant == 'stay-closed' and not isClosed then return 'stale' end

if tenant == 'drain' then
  redis.call('HSET', COUNTS, 'draining', now + DRAINED_FOR_MS)
elseif tenant == 'close' then
  if not isClosed then redis.call('HSET', MOVE, 'format', format or '', 'closedAt', now) end
  redis.call('HSET', COUNTS, 'format', CLOSED_FORMAT)
  redis.call('HDEL', COUNTS, 'draining')
elseif tenant == 'open' then
  local before = redis.call('HGET', MOVE, 'format')
  redis.call('HDEL', COUNTS, 'draining', 'moved')
  if isClosed and before and before ~= '' then redis.call('HSET', COUNTS, 'format', before)
  elseif isClosed then redis.call('HDEL', COUNTS, 'format') end
end
if told ~= '' then redis.call('HSET', COUNTS, 'moved', told) end

if to == '' then
  redis.call('DEL', MOVE)
  return 'changed'
end
if to ~= from and to ~= 'removing' and to ~= 'finished' then redis.call('HSET', MOVE, 'at', now) end
redis.call('HSET', MOVE, 'state', to, unpack(ARGV, 7))
return 'changed'
