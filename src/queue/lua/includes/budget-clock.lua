--[[
  Redis's time, for the budget. Instants of the budget are microseconds, those of the pace milliseconds.
]]
local time = redis.call('TIME')
local now, nowMs = time[1] * 1000000 + time[2], time[1] * 1000 + time[2] / 1000

local function toText(number) return string.format('%.0f', number) end
