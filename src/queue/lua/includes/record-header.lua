--[[
  The first line of a delivery's record, the only part of it that scripts read.
]]
-- Returns revision, status code, instant of acceptance, rank, position in its waiting list, identity (the fingerprint
-- and the search hashes of device and run, with the number of its chunk of the index) and the configuration's key, which
-- older records do not have. Also of a record of a newer version, which must not be changed.
local function parseAnyHeader(record)
  local header = string.gsub(record, '^v%d+ ', '', 1)
  return string.match(header, '^(%d+) (%a) (%d+) (%d) (%d+) (%S+ %S+ %S+) ?(%S*)\n')
end

-- Whether a newer version wrote the record, given as a whole or from its beginning.
local function isOfNewer(record)
  return tonumber(string.match(record, '^v(%d+) ') or 1) > READS_FORMAT
end

-- The same as parseAnyHeader; nothing for a record of a newer version.
local function parseHeader(record)
  if isOfNewer(record) then return nil end
  return parseAnyHeader(record)
end
