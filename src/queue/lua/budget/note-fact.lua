--[[
  Keeps a fact about a tenant's Graph.

  KEYS[1]  facts
  ARGV[1]  the fact
  ARGV[2]  whether it holds and when that was seen
  ARGV[3]  'first' if an earlier note stays, else 'last'

  Reply: 1, or 0 if an earlier note stayed
]]
if ARGV[3] == 'first' then return redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return 1
