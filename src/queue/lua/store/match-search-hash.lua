--[[
  Selects the records whose device or run has a search hash.

  KEYS     records
  ARGV[1]  search hash

  Reply: the keys of those that have it
]]
local matching = {}
for _, key in ipairs(KEYS) do
  local start = redis.call('GETRANGE', key, 0, HEADER_BYTES)
  local device, run = string.match(start, '^%S+ %S+ %S+ %S+ %S+ %S+ (%S+) (%S+)[ \n]')
  if device == ARGV[1] or run == ARGV[1] then matching[#matching + 1] = key end
end
return matching
