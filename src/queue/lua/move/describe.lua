--[[
  Describes keys, so that those which are equal on two servers need not be read. Digests of servers of different versions
  agree: fields and members are in the order of their bytes, scores are written with all their digits.

  KEYS     keys of one tenant
  ARGV[1]  bytes that may be digested in all: the script blocks Redis

  Reply: for each {type, milliseconds until it expires (-1: never), bytes or elements, digest}; the digest is '' of a key that
  is too large, and of one for which no bytes are left
]]
local LARGEST_COLLECTION = 256
local left = tonumber(ARGV[1])

local function isLess(a, b) return a < b end

-- Parts of which the lengths are part, so that no two collections read alike.
local function pack(parts)
  local packed = {}
  for at, part in ipairs(parts) do packed[at] = #part .. ':' .. part end
  return table.concat(packed)
end

local function readPairs(flat, toText)
  local names, values, parts = {}, {}, {}
  for at = 1, #flat, 2 do
    names[#names + 1] = flat[at]
    values[flat[at]] = toText(flat[at + 1])
  end
  table.sort(names, isLess)
  for _, name in ipairs(names) do parts[#parts + 1], parts[#parts + 2] = name, values[name] end
  return pack(parts)
end

local function same(text) return text end
local function score(text) return string.format('%.17g', tonumber(text)) end

local function readMembers(key)
  local members = redis.call('SMEMBERS', key)
  table.sort(members, isLess)
  return pack(members)
end

local kinds = {
  hash = {size = function(key) return redis.call('HLEN', key) end, read = function(key) return readPairs(redis.call('HGETALL', key), same) end},
  zset = {size = function(key) return redis.call('ZCARD', key) end, read = function(key) return readPairs(redis.call('ZRANGE', key, 0, -1, 'WITHSCORES'), score) end},
  list = {size = function(key) return redis.call('LLEN', key) end, read = function(key) return pack(redis.call('LRANGE', key, 0, -1)) end},
  set = {size = function(key) return redis.call('SCARD', key) end, read = readMembers},
}

local function digest(text)
  left = left - #text
  return redis.sha1hex(text)
end

local function describe(key)
  local kind = redis.call('TYPE', key).ok
  if kind == 'none' then return {kind, -2, 0, ''} end
  local expiresInMs = redis.call('PTTL', key)
  if kind == 'string' then
    local bytes = redis.call('STRLEN', key)
    return {kind, expiresInMs, bytes, bytes <= left and digest(redis.call('GET', key)) or ''}
  end
  local collection = kinds[kind]
  if not collection then return {kind, expiresInMs, 0, ''} end
  local elements = collection.size(key)
  local isSmall = elements <= LARGEST_COLLECTION and left > 0
  return {kind, expiresInMs, elements, isSmall and digest(collection.read(key)) or ''}
end

local described = {}
for at, key in ipairs(KEYS) do described[at] = describe(key) end
return described
