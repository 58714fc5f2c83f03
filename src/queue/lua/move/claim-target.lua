--[[
  Closes the tenant at the Redis that gets its data, for one run of one move. Writes of earlier runs are refused from then on.

  KEYS[1]  the move
  KEYS[2]  counts
  ARGV[1]  the move's id
  ARGV[2]  the run
  ARGV[3]  where the data comes from
  ARGV[4]  what processes are told

  Reply: 'claimed' (for the first time), 'continued' (for this move before), 'opened' (this move is done here), or 'taken'
  (by another move)
]]
local MOVE, COUNTS = unpack(KEYS)
local id, run, peer, told = unpack(ARGV)

local known, state = unpack(redis.call('HMGET', MOVE, 'id', 'state'))
local isOwn = known == id
if isOwn and state == 'opened' then return 'opened' end
if known and not isOwn and state ~= 'cancelled' and state ~= 'finished' and state ~= 'opened' then return 'taken' end
redis.call('DEL', MOVE)
redis.call('HSET', MOVE, 'id', id, 'role', 'to', 'state', 'copying', 'run', run, 'peer', peer)
redis.call('HSET', COUNTS, 'format', CLOSED_FORMAT, 'moved', told)
return isOwn and 'continued' or 'claimed'
