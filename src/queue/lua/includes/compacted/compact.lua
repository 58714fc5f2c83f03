--[[
  Stores what will be left of a delivered run.
]]
--- @include "compacted/entries"

local function isCompactable(identity) return string.match(string.match(identity, '^%S+'), FINGERPRINT) ~= nil end

-- `run` has id, identity, acceptedAt, deliveredAt, deviceTag; claimHash if it has a record in Graph, and created '1' if its
-- last attempt created that.
local function compact(run, keptMs)
  local fingerprint = string.match(string.match(run.identity, '^%S+'), FINGERPRINT)
  local instants = struct.pack('>I6I6', tonumber(run.acceptedAt), tonumber(run.deliveredAt))
  -- With a character more, the half byte at its end is not dropped.
  local entry = fromBase64(fingerprint .. 'A') .. instants .. fromBase64(run.deviceTag)
  local entries = {{fromBase64(string.sub(run.id, 2)), entry}}
  if run.claimHash ~= '' then
    local packed = struct.pack('>I6', 2 * tonumber(run.deliveredAt) + tonumber(run.created))
    entries[2] = {fromBase64(run.claimHash), packed}
  end
  putEntries(entries, keptMs)
end
