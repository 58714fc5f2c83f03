--[[
  Removes a delivery that ended, or has no record, from everything it may be in except the waiting lists.
]]
--- @include "waiting-list/keys"

-- `configuration` is the configuration's key, '' if it is not known.
local function leave(id, configuration)
  redis.call('ZREM', PROMOTED, id)
  redis.call('ZREM', PUT_OFF, id)
  redis.call('SREM', RETRYING, id)
  if configuration ~= '' then
    redis.call('ZREM', parked('create:' .. configuration), id)
    redis.call('ZREM', parked('look:' .. configuration), id)
  end
end
