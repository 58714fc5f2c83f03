--[[
  Closes the tenant at the Redis that gets its data, for one run of one move. Writes of earlier runs are refused from then on.

  KEYS[1]  the move
  KEYS[2]  counts
  ARGV[1]  the move's id
  ARGV[2]  the run
  ARGV[3]  where the data comes from
  ARGV[4]  what processes are told
  ARGV[5]  the id of the move that was last seen here, '' if there was none
  ARGV[6]  the state that one was in
  ARGV[7]  the run that had it, '' if none

  Reply: 'untouched' (nobody has made sure yet that it is empty), 'filling' (somebody has), 'opened' (this move is done here), 'taken'
  (by another move), or 'stale' (it has changed since it was seen)
]]
local MOVE, COUNTS = unpack(KEYS)
local id, run, peer, told, seenId, seenState, seenRun = unpack(ARGV)

local known, state, itsRun, wasEmpty, wasClosed = unpack(redis.call('HMGET', MOVE, 'id', 'state', 'run', 'wasEmpty', 'wasClosed'))
local isOwn = known == id
if isOwn and state == 'opened' then return 'opened' end
if (known or '') ~= seenId or (state or '') ~= seenState or (itsRun or '') ~= seenRun then return 'stale' end
if known and not isOwn and state ~= 'cancelled' and state ~= 'finished' then return 'taken' end
-- As an earlier move left it: then it is closed again if this one comes to nothing.
if not isOwn then wasClosed = redis.call('HGET', COUNTS, 'format') == tostring(CLOSED_FORMAT) and '1' end
redis.call('DEL', MOVE)
redis.call('HSET', MOVE, 'id', id, 'role', 'to', 'state', 'copying', 'run', run, 'peer', peer)
if wasClosed then redis.call('HSET', MOVE, 'wasClosed', wasClosed) end
redis.call('HSET', COUNTS, 'format', CLOSED_FORMAT, 'moved', told)
if not isOwn or not wasEmpty then return 'untouched' end
redis.call('HSET', MOVE, 'wasEmpty', wasEmpty)
return 'filling'
