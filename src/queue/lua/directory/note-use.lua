--[[
  Notes when a device was last used, and leaves alone what the directory said about it meanwhile.

  KEYS[1]  devices of the directory
  ARGV[1]  device id, 16 bytes in hex
  ARGV[2]  when it was used, 4 bytes in hex

  Reply: 1, or 0 if the device is not known
]]
--- @include "hex"
local id = from_hex(ARGV[1])
local kept = redis.call('HGET', KEYS[1], id)
if not kept then return 0 end
redis.call('HSET', KEYS[1], id, string.sub(kept, 1, 5) .. from_hex(ARGV[2]) .. string.sub(kept, 10))
return 1
