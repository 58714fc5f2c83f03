--[[
  Removes a promoted delivery whose record was deleted.

  KEYS[1..11]  the waiting list's, see includes/waiting-list/keys.lua
  KEYS[12]     the delivery's record
  ARGV[1..3]   the waiting list's
  ARGV[4]      delivery id

  Reply: 0
]]
--- @include "waiting-list/leave"

if redis.call('EXISTS', KEYS[OWN_KEYS + 1]) == 0 then leave(ARGV[OWN_ARGS + 1], '') end
return 0, false
