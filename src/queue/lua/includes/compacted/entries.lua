--[[
  What is left of a delivered run once its details are dropped, and of its claim to a record in Graph. As hex in replies,
  `store/compacted.ts` reads them. By their keys:

    16 bytes, of the delivery id      20 bytes the fingerprint, 6 the instant of acceptance, 6 that of delivery, 8 of a hash
                                      by which its device is recognised
    8 bytes, of the record id's hash  6 bytes twice the instant of delivery, and 1 more if its last attempt created it
]]
--- @include "compacted/bytes"
--- @include "compacted/table"

-- Fingerprints of the first version are another length: their records are kept whole.
local FINGERPRINT = '^2%.(' .. string.rep('[%w_-]', 26) .. ')$'

-- Returns bytes, nothing if there is no such run.
local function findCompacted(id)
  if #readGenerations() == 0 then return nil end
  return findEntry(fromBase64(string.sub(id, 2)))
end

-- The same by the four numbers of an id, which takes a third of the time.
local function findCompactedBy(numbers)
  if #readGenerations() == 0 then return nil end
  return findEntry(struct.pack('>I4I4I4I4', string.match(numbers, '^(%d+) (%d+) (%d+) (%d+)$')))
end

-- Marks what is known of an owner besides its id.
local OWNER_COMPACTED = '~'

-- The delivery that has claimed a record in Graph, or what is left of it; nothing if none has.
local function ownerOf(claim, claimHash)
  local owner = redis.call('GET', claim)
  if owner or #readGenerations() == 0 then return owner end
  local compacted = findEntry(fromBase64(claimHash))
  return compacted and OWNER_COMPACTED .. toHex(compacted)
end
