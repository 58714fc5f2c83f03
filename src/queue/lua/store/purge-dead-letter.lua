--[[
  Deletes a dead letter for good.

  KEYS[1]  the delivery's record
  KEYS[2]  dead letters
  KEYS[3]  counts
  ARGV[1]  delivery id

  Reply: 1, or 0 if it is not dead
]]
--- @include "record-header"

local record = redis.call('GET', KEYS[1])
local _, status = parseHeader(record or '')
if status ~= DEAD then return 0, false end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HINCRBY', KEYS[3], 'dead', -1)
return 1
