--[[
  Redis's time in whole milliseconds, for replays: it is the only clock that all processes share.
]]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
