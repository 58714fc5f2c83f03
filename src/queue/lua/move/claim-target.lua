--[[
  Closes the tenant at the Redis that gets its data, for one run of one move. Writes of earlier runs are refused from then on.

  KEYS[1]  the move
  KEYS[2]  counts
  KEYS[3]  past moves
  ARGV[1]  the move's id
  ARGV[2]  the run
  ARGV[3]  where the data comes from
  ARGV[4]  what processes are told
  ARGV[5]  the id of the move that was last seen here, '' if there was none
  ARGV[6]  the state that one was in

  Reply: 'claimed' (nobody has made sure yet that it was empty), 'continued' (somebody has), 'opened' (this move is done here), 'taken'
  (by another move), or 'stale' (it has changed since it was seen)
]]
local MOVE, COUNTS, PAST = unpack(KEYS)
local id, run, peer, told, seenId, seenState = unpack(ARGV)

local known, state, role, wasEmpty = unpack(redis.call('HMGET', MOVE, 'id', 'state', 'role', 'wasEmpty'))
local isOwn = known == id
if isOwn and state == 'opened' then return 'opened' end
if (known or '') ~= seenId or (state or '') ~= seenState then return 'stale' end
if known and not isOwn and state ~= 'cancelled' and state ~= 'finished' and state ~= 'opened' then return 'taken' end
if not isOwn and role == 'to' and state == 'opened' then redis.call('HSET', PAST, known, 'arrived') end
redis.call('DEL', MOVE)
redis.call('HSET', MOVE, 'id', id, 'role', 'to', 'state', 'copying', 'run', run, 'peer', peer)
redis.call('HSET', COUNTS, 'format', CLOSED_FORMAT, 'moved', told)
if not isOwn or not wasEmpty then return 'claimed' end
redis.call('HSET', MOVE, 'wasEmpty', wasEmpty)
return 'continued'
