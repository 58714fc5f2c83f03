--[[
  Names the Graph and tenant that the facts are of. Facts about another one are deleted.

  KEYS[1]  facts
  ARGV[1]  the Graph and tenant

  Reply: 1, or 0 if they already were about this one
]]
local before = redis.call('HGET', KEYS[1], SUBJECT_FIELD)
if before == ARGV[1] then return 0 end
if before then redis.call('DEL', KEYS[1]) end
redis.call('HSET', KEYS[1], SUBJECT_FIELD, ARGV[1])
return 1
