--[[
  Counts a claimed dead letter as skipped. One that a running replay could still replay stays claimed, and is tried again.

  KEYS[1]  the replay
  KEYS[2]  dead letters
  ARGV[1]  delivery id
  ARGV[2]  'always', or 'if-changed' to skip it only if it is no longer the dead letter that was claimed

  Reply: 1, or 0 if it was not skipped
]]
--- @include "replays/claimed"

local REPLAY, DEAD_LETTERS = unpack(KEYS)
if redis.call('HGET', REPLAY, 'state') ~= 'running' then return 0, false end
if not redis.call('ZSCORE', REPLAY .. ':claimed', ARGV[1]) then return 0, false end
if ARGV[2] == 'if-changed' and isClaimed(REPLAY, DEAD_LETTERS, ARGV[1]) then return 0, false end
countClaimed(REPLAY, ARGV[1], 'skipped')
return 1
