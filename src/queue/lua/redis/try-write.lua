--[[
  Tries whether scripts may write.

  KEYS[1]  a key for this alone

  Reply: 1
]]
redis.call('SET', KEYS[1], '1', 'PX', 10000)
return redis.call('DEL', KEYS[1])
