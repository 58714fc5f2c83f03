--[[
  Stores what the directory said about a device. When the device was last used stays; an older word than the one that is
  stored changes nothing, nor does one that was asked for before the device was forgotten.

  KEYS[1]  devices of the directory
  KEYS[2]  devices that were forgotten lately, by when
  KEYS[3]  ids the directory does not have, by when it was asked
  ARGV[1]  device id, 16 bytes in hex
  ARGV[2]  flags, 1 byte in hex
  ARGV[3]  when the directory was asked, 4 bytes in hex
  ARGV[4]  digests of its keys, 16 bytes each in hex
  ARGV[5]  when the directory was asked, in milliseconds

  Reply: 1, or 0 if nothing was stored
]]
--- @include "hex"
local id, asked_at = from_hex(ARGV[1]), from_hex(ARGV[3])
local forgotten_at = redis.call('ZSCORE', KEYS[2], id)
if forgotten_at and tonumber(forgotten_at) > tonumber(ARGV[5]) then return 0 end
redis.call('ZREM', KEYS[3], id)
local kept = redis.call('HGET', KEYS[1], id)
-- A word that is newer by more than a question can be under way was kept before the clock stepped back.
if kept then
  local a, b, c, d = string.byte(kept, 2, 5)
  local newer_ms = ((a * 256 + b) * 65536 + c * 256 + d - tonumber(ARGV[3], 16)) * 1000
  if newer_ms > 0 and newer_ms <= QUESTION_UNDER_WAY_MS then return 0 end
end
local used_at = kept and string.sub(kept, 6, 9) or asked_at
redis.call('HSET', KEYS[1], id, from_hex(ARGV[2]) .. asked_at .. used_at .. from_hex(ARGV[4]))
return 1
