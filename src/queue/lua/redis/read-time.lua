--[[
  Reads the clock of the Redis node that has a key; in a cluster the command by itself would go to any node.

  KEYS[1]  any key of the tenant

  Reply: {seconds, microseconds}
]]
return redis.call('TIME')
