--[[
  The first line of a delivery's record, the only part of it that scripts read.
]]
-- Returns revision, status code, instant of acceptance, rank, position in its waiting list, identity (the fingerprint
-- and the search hashes of device and run, with the number of its chunk of the index) and the configuration's key, which
-- older records do not have.
local function parseHeader(record)
  return string.match(record, '^(%d+) (%a) (%d+) (%d) (%d+) (%S+ %S+ %S+) ?(%S*)\n')
end
