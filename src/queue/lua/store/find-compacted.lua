--[[
  Finds what is left of a delivered run once its details are dropped.

  KEYS[1]  counts
  ARGV[1]  prefix of the tenant's keys
  ARGV[2]  delivery id

  Reply: its entry in hex, see includes/compacted/entries.lua; null if there is none
]]
local ROOT = ARGV[1]
--- @include "compacted/entries"

local found = findCompacted(ARGV[2])
return found and toHex(found) or false
