--[[
  Asks whether it is this process's turn to look at all tenants, and how much waits to be queued.

  KEYS[1]  exists while a process has looked at all tenants lately
  KEYS[2]  exists while a process that accepts submissions has
  KEYS[3]  announcements that are to be sent
  ARGV[1]  milliseconds of a turn
  ARGV[2]  '1' if this process accepts submissions

  Reply: {1 or 0, 1 or 0 for what only processes that accept submissions know, how many announcements wait}
]]
local function takeTurn(key)
  return redis.call('SET', key, '', 'NX', 'PX', ARGV[1]) and 1 or 0
end

return {takeTurn(KEYS[1]), ARGV[2] == '1' and takeTurn(KEYS[2]) or 0, redis.call('LLEN', KEYS[3])}
