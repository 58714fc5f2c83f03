--[[
  Closes the tenant at the Redis that gets its data, for one run of one move. Writes of earlier runs are refused from then on.

  KEYS[1]  the move
  KEYS[2]  counts
  ARGV[1]  the move's id
  ARGV[2]  the run
  ARGV[3]  where the data comes from
  ARGV[4]  what processes are told
  ARGV[5]  'own' if the target has to be one of this move already, else ''

  Reply: 'claimed' (nobody has made sure yet that it was empty), 'continued' (somebody has), 'opened' (this move is done here), or
  'taken' (by another move)
]]
local MOVE, COUNTS = unpack(KEYS)
local id, run, peer, told, which = unpack(ARGV)

local known, state, wasEmpty = unpack(redis.call('HMGET', MOVE, 'id', 'state', 'wasEmpty'))
local isOwn = known == id
if isOwn and state == 'opened' then return 'opened' end
if which == 'own' and not isOwn then return 'taken' end
if known and not isOwn and state ~= 'cancelled' and state ~= 'finished' and state ~= 'opened' then return 'taken' end
redis.call('DEL', MOVE)
redis.call('HSET', MOVE, 'id', id, 'role', 'to', 'state', 'copying', 'run', run, 'peer', peer)
redis.call('HSET', COUNTS, 'format', CLOSED_FORMAT, 'moved', told)
if not isOwn or not wasEmpty then return 'claimed' end
redis.call('HSET', MOVE, 'wasEmpty', wasEmpty)
return 'continued'
