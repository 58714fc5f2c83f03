--[[
  Reads the memory figures of the Redis node that has a key; in a cluster the command by itself would go to any node.

  KEYS[1]  any key of the tenant

  Reply: the section as INFO prints it
]]
return redis.call('INFO', 'memory')
