--[[
  Finds the delivery that supersedes an older one: open or created, of a run that was completed later.

  KEYS[1]  results of the device and configuration
  ARGV[1]  prefix of the tenant's keys
  ARGV[2]  instant at which the older one was completed

  Reply: its id; null if there is none
]]
local ROOT = ARGV[1]
--- @include "supersession/results"

local newest = newestOf(KEYS[1])
return newest and newest[1] > ARGV[2] and newest[2] or false
