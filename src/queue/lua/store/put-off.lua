--[[
  Lets a promoted delivery wait for its next attempt.

  KEYS[1..11]  the waiting list's, see includes/waiting-list/keys.lua
  ARGV[1..3]   the waiting list's
  ARGV[4]      delivery id
  ARGV[5]      milliseconds

  Reply: 0
]]
--- @include "waiting-list/put-off"

local id, waitMs = unpack(ARGV, OWN_ARGS + 1)
if redis.call('ZSCORE', PROMOTED, id) then
  redis.call('SREM', RETRYING, id)
  putOff(id, math.max(1, waitMs))
end
return 0, false
