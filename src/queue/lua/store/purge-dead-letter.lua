--[[
  Deletes a dead letter for good.

  KEYS[1]  the delivery's record
  KEYS[2]  dead letters
  KEYS[3]  counts
  ARGV[1]  delivery id
  ARGV[2]  prefix of the tenant's keys

  Reply: 1, or 0 if it is not dead
]]
local ROOT = ARGV[2]
--- @include "record-header"
--- @include "index/change-status"

local record = redis.call('GET', KEYS[1])
local _, status, _, _, _, identity = parseHeader(record or '')
if status ~= DEAD then return 0, false end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('HINCRBY', KEYS[3], 'dead', -1)
changeStatus(identity, ARGV[1], REMOVED)
return 1
