--[[
  Adds a delivery to the results of its device and configuration.
]]
local function joinResults(results, instant, id)
  redis.call('ZADD', results, 0, instant .. ' ' .. id)
  redis.call('PERSIST', results)
end
