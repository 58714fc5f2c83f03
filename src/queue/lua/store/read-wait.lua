--[[
  How long a delivery still has to wait for its next attempt.

  KEYS[1..11]  the waiting list's, see includes/waiting-list/keys.lua
  ARGV[1..3]   the waiting list's
  ARGV[4]      delivery id

  Reply: milliseconds, 0 or less if it is due
]]
--- @include "waiting-list/put-off"

local due = redis.call('ZSCORE', PUT_OFF, ARGV[OWN_ARGS + 1])
return due and math.ceil(due - currentTime(false)) or 0, false
