--[[
  Wraps a script that changes something, so that a call which arrives twice runs once and gets the same reply twice.
  ioredis resends a command whose reply was lost with its connection, though Redis may have executed it. Each call
  therefore carries a nonce, and its reply is kept beside the data until the caller's next call in the same lane.
  The script may return a second value, which is kept in place of its reply; false means that it changed nothing and
  that nothing needs to be kept.

  KEYS[last]  the last reply of this lane
  ARGV[last]  nonce of the call

  Reply: the script's, or the one it gave before
]]
--- @include "format"

-- The longest outage after which a repeated call is still recognized.
local KEPT_FOR_MS = 3600000

local LANE, NONCE = table.remove(KEYS), table.remove(ARGV)
local kept = redis.call('GET', LANE)
if kept and string.sub(kept, 1, #NONCE) == NONCE then return cmsgpack.unpack(string.sub(kept, #NONCE + 1)) end
-- What an earlier version answered is answered again, so this comes after it.
local refused = leftAlone()
if refused then return refused end
local function run()
  --- @script
end
local reply, toKeep = run()
if toKeep ~= false then
  if toKeep == nil then toKeep = reply end
  redis.call('SET', LANE, NONCE .. cmsgpack.pack(toKeep), 'PX', KEPT_FOR_MS)
end
return reply
