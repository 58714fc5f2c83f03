--[[
  Reads which deliveries have claimed records in Graph.

  KEYS     the claims
  ARGV[1]  prefix of the tenant's keys
  ARGV[2]  the hash of the first record's id; those of the others follow

  Reply: for each a delivery id; '~' and its entry in hex once its details are dropped; null if it is unclaimed
]]
local ROOT = ARGV[1]
--- @include "compacted/entries"

local owners = {}
for at, claim in ipairs(KEYS) do owners[at] = ownerOf(claim, ARGV[1 + at]) or false end
return owners
