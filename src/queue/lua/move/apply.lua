--[[
  Writes to keys of a tenant that is being moved, if this run still has it here: one command for each key.

  KEYS[1]   the move
  KEYS[2…]  keys
  ARGV[1]   the run
  ARGV[2…]  for each key in turn: how many of the following are about it, the command, and its arguments behind the key

  Reply: 1, or 0 if another run has it
]]
if redis.call('HGET', KEYS[1], 'run') ~= ARGV[1] then return 0 end
local commands = {
  set = function(...) return redis.call('SET', ...) end,
  append = function(...) return redis.call('APPEND', ...) end,
  -- Large ones are freed beside.
  del = function(...) return redis.call('UNLINK', ...) end,
  hset = function(...) return redis.call('HSET', ...) end,
  hdel = function(...) return redis.call('HDEL', ...) end,
  zadd = function(...) return redis.call('ZADD', ...) end,
  zrem = function(...) return redis.call('ZREM', ...) end,
  sadd = function(...) return redis.call('SADD', ...) end,
  srem = function(...) return redis.call('SREM', ...) end,
  rpush = function(...) return redis.call('RPUSH', ...) end,
  ltrim = function(...) return redis.call('LTRIM', ...) end,
  pexpire = function(...) return redis.call('PEXPIRE', ...) end,
  persist = function(...) return redis.call('PERSIST', ...) end,
}
local at = 2
for key = 2, #KEYS do
  local count = tonumber(ARGV[at])
  commands[ARGV[at + 1]](KEYS[key], unpack(ARGV, at + 2, at + count))
  at = at + count + 1
end
return 1
