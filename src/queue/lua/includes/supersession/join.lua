--[[
  Adds a delivery to the results of its device and configuration.
]]
local function joinContestants(contestants, instant, id)
  redis.call('ZADD', contestants, 0, instant .. ' ' .. id)
  redis.call('PERSIST', contestants)
end
