--[[
  Which chunks have rows of a device: a list of chunk numbers, 4 bytes each. Devices share a few thousand hashes, so that
  Redis stores each of these compactly. The older part of a long list is a string of its own.
]]
--- @include "index/chunk"

local DEVICE_HASHES = 8192
local ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
-- Redis stores a hash compactly while no value is longer than 64 bytes.
local LONGEST_LIST, MOVED_AT_ONCE = 60, 40
-- From this length on, the older part is looked through for chunks that are gone.
local LONG_OLDER_PART = 400

local function deviceHashKey(number) return ROOT .. ':ix:devices:' .. number end
local function olderPartKey(device) return ROOT .. ':ix:older:' .. device end

local function digit(device, at) return string.find(ALPHABET, string.sub(device, at, at), 1, true) - 1 end

-- Returns key and field of a device's list, given its search hash: 13 bits choose the hash, the field has the others.
local function listOf(device)
  local number = digit(device, 1) * 128 + digit(device, 2) * 2 + math.floor(digit(device, 3) / 32)
  return deviceHashKey(number), string.sub(device, 3)
end

-- The first two characters of a search hash, which its hash stands for.
local function deviceStart(number)
  local first, second = math.floor(number / 128), math.floor(number / 2) % 64
  return string.sub(ALPHABET, first + 1, first + 1) .. string.sub(ALPHABET, second + 1, second + 1)
end

local function existingOnly(list)
  local kept = {}
  for at = 1, #list, 4 do
    local number = struct.unpack('>I4', list, at)
    if redis.call('EXISTS', chunkKey(number)) == 1 then kept[#kept + 1] = string.sub(list, at, at + 3) end
  end
  return table.concat(kept)
end

local function noteDevice(device, number)
  local key, field = listOf(device)
  local entry = struct.pack('>I4', number)
  local list = redis.call('HGET', key, field) or ''
  if string.sub(list, -4) == entry then return end
  if #list >= LONGEST_LIST then
    list = existingOnly(list)
    if #list >= LONGEST_LIST then
      local older = olderPartKey(device)
      local length = redis.call('APPEND', older, string.sub(list, 1, MOVED_AT_ONCE))
      list = string.sub(list, MOVED_AT_ONCE + 1)
      if length >= LONG_OLDER_PART then redis.call('SET', older, existingOnly(redis.call('GET', older))) end
    end
  end
  redis.call('HSET', key, field, list .. entry)
end
