--[[
  Whether the tenant is about to be moved to another Redis: then no attempt begins, and those under way come to an end. The
  move says so again and again, so that attempts go on if it dies.
]]
-- `key` is any key of the tenant.
local function isDraining(key)
  local drainedUntil = redis.call('HGET', string.match(key, '^.-}') .. ':counts', 'draining')
  if not drainedUntil then return false end
  local time = redis.call('TIME')
  local leftMs = tonumber(drainedUntil) - (time[1] * 1000 + math.floor(time[2] / 1000))
  -- More than that is of a clock that was ahead.
  return leftMs > 0 and leftMs <= DRAINED_FOR_MS
end
