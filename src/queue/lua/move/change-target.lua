--[[
  Ends a move at the Redis that gets the data.

  KEYS[1]  the move
  KEYS[2]  counts
  KEYS[3]  revoked devices
  KEYS[4]  past moves
  ARGV[1]  the move's id
  ARGV[2]  the run
  ARGV[3]  'empty' (it was, when it was claimed), 'opened' (processes may work on it), 'cancelled' (it stays closed), or 'forgotten' (as
           if it had never been begun; what was closed before stays so, as if this one had been cancelled)
  ARGV[4]  of an empty one nothing, of an opened one the format of its data, '' for the first; else what processes are told
  ARGV[5]  of an opened one the mark that has to be there: all that was written before it is there as well
  ARGV[6…] of an opened one, field of the move, value, field, value…

  Reply: 'changed'; 'lost' (another run or move has it); or 'set-back' (there is another mark, as after a failover)
]]
local MOVE, COUNTS, REVOKED, PAST = unpack(KEYS)
local id, run, to, text, mark = unpack(ARGV)

local known, state, itsRun = unpack(redis.call('HMGET', MOVE, 'id', 'state', 'run'))
-- What is known already is written again, so that a resumed run has a write for replicas to confirm.
if to == 'opened' and redis.call('HGET', PAST, id) == 'arrived' then
  redis.call('HSET', PAST, id, 'arrived')
  return 'changed'
end
if known ~= id then return 'lost' end
if state == to then
  redis.call('HSET', MOVE, 'state', to)
  return 'changed'
end
if itsRun ~= run then return 'lost' end
if to == 'forgotten' and redis.call('HEXISTS', MOVE, 'wasClosed') == 1 then to = 'cancelled' end
if to == 'forgotten' then
  redis.call('DEL', MOVE)
  redis.call('HDEL', COUNTS, 'format', 'moved')
  return 'changed'
end
if to == 'empty' then
  redis.call('HSET', MOVE, 'wasEmpty', 1)
  return 'changed'
end
if to == 'opened' then
  if redis.call('HGET', MOVE, 'mark') ~= mark then return 'set-back' end
  redis.call('HSET', MOVE, unpack(ARGV, 6))
end
redis.call('HSET', MOVE, 'state', to)
redis.call('HDEL', MOVE, 'run')
if to == 'cancelled' then
  redis.call('HSET', COUNTS, 'moved', text)
  return 'changed'
end
redis.call('HDEL', COUNTS, 'moved')
if text == '' then redis.call('HDEL', COUNTS, 'format') else redis.call('HSET', COUNTS, 'format', text) end
-- Processes that read the list while it was copied read it again.
if redis.call('EXISTS', REVOKED) == 1 then redis.call('HINCRBY', REVOKED, REVISION_FIELD, 1) end
return 'changed'
