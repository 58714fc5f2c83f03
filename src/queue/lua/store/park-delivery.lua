--[[
  Parks a promoted delivery under the hold of its configuration. If the hold has ended meanwhile, it is tried again at
  once. One under way or put off is left alone: the caller lost it to another worker.

  KEYS[1..11]  the waiting list's, see includes/waiting-list/keys.lua
  ARGV[1..3]   the waiting list's
  ARGV[4]      delivery id
  ARGV[5]      key of the hold

  Reply: 0
]]
--- @include "waiting-list/put-off"
--- @include "waiting-list/park"
--- @include "waiting-list/read-header"

local id, hold = unpack(ARGV, OWN_ARGS + 1)
local at = redis.call('ZSCORE', PROMOTED, id)
local due = redis.call('ZSCORE', PUT_OFF, id)
if not at or readHeader(id) == DELIVERING or (due and tonumber(due) > currentTime(false)) then return 0, false end
redis.call('SREM', RETRYING, id)
if redis.call('HEXISTS', HOLDS, 'h:' .. hold) == 0 then
  putOff(id, 1)
else
  redis.call('ZREM', PROMOTED, id)
  redis.call('ZREM', PUT_OFF, id)
  park(hold, id, at)
end
return 0, false
