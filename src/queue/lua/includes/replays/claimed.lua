--[[
  The dead letters that a replay has claimed. Each is claimed with its instant of death: one that died again since the
  replay began has another one, and is not replayed a second time.
]]
local function isClaimed(replay, deadLetters, id)
  if redis.call('HGET', replay, 'state') ~= 'running' then return false end
  local claimedAt = redis.call('ZSCORE', replay .. ':claimed', id)
  return claimedAt and claimedAt == redis.call('ZSCORE', deadLetters, id)
end

local function countClaimed(replay, id, outcome)
  redis.call('ZREM', replay .. ':claimed', id)
  redis.call('HINCRBY', replay, outcome, 1)
end
