--[[
  Whether the tenant is about to be moved to another Redis: then no attempt begins, and those under way come to an end.
]]
-- `key` is any key of the tenant.
local function isDraining(key)
  return redis.call('HEXISTS', string.match(key, '^.-}') .. ':counts', 'draining') == 1
end
