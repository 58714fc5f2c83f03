--[[
  A table of small entries, bytes by bytes, that are forgotten together: what is left of deliveries once their details are
  dropped. Keys are hashes.

  Redis stores a small hash without an overhead for each field, but cannot let a field expire. So entries are in
  generations, each of which takes entries for half of the time they are remembered and later expires as a whole: an entry
  is remembered for up to half as long again as asked for, and is looked for in two or three places.

  A generation is split into buckets, so many that each has few entries (linear hashing): after every so many new entries
  one more bucket takes its share from an earlier one. Nothing has to be known beforehand of how many there will be.

  '<root>:m'                        the generations: by number '<buckets> <entries> <when it expires, in milliseconds>'
  '<root>:m:<generation>:<bucket>'  the entries of a bucket

  Needs ROOT, the prefix of the tenant's keys.
]]
local GENERATIONS = ROOT .. ':m'
-- On average. A bucket that is about to be split has up to twice that, and Redis stores hashes of up to 128 fields compactly.
local BUCKET_ENTRIES = 44
-- Part of the time for which an entry is remembered.
local GENERATION_SHARE = 0.5

local generationsRead

-- The largest power of two that is not larger.
local function powerOfTwo(number)
  local _, exponent = math.frexp(number)
  return 2 ^ (exponent - 1)
end

local function toGeneration(number, buckets, entries, expiresAt)
  return {
    number = tonumber(number), prefix = GENERATIONS .. ':' .. number .. ':', entries = tonumber(entries),
    buckets = tonumber(buckets), power = powerOfTwo(tonumber(buckets)), expiresAt = tonumber(expiresAt),
  }
end

-- The newest first.
local function readGenerations()
  if generationsRead then return generationsRead end
  local all, generations = redis.call('HGETALL', GENERATIONS), {}
  for at = 1, #all, 2 do
    local buckets, entries, expiresAt = string.match(all[at + 1], '^(%d+) (%d+) (%d+)$')
    generations[#generations + 1] = toGeneration(all[at], buckets, entries, expiresAt)
  end
  table.sort(generations, function(a, b) return a.number > b.number end)
  generationsRead = generations
  return generations
end

local function hashOf(key) return (struct.unpack('>I4', key)) end

local function bucketOf(generation, hash)
  local bucket = hash % (2 * generation.power)
  return generation.prefix .. (bucket < generation.buckets and bucket or hash % generation.power)
end

-- Returns the value, nothing if there is none.
local function findEntry(key)
  local hash = hashOf(key)
  for _, generation in ipairs(readGenerations()) do
    local value = redis.call('HGET', bucketOf(generation, hash), key)
    if value then return value end
  end
end

local function writeBucket(generation, bucket, fields, now)
  if #fields == 0 then return end
  redis.call('HSET', bucket, unpack(fields))
  redis.call('PEXPIRE', bucket, string.format('%.0f', generation.expiresAt - now))
end

-- Adds a bucket, which takes its entries from the one whose hashes ended alike until now.
local function addBucket(generation, now)
  local added, power = generation.buckets, generation.power
  local from, to = generation.prefix .. (added - power), generation.prefix .. added
  local all, stays, moves = redis.call('HGETALL', from), {}, {}
  for at = 1, #all, 2 do
    local part = hashOf(all[at]) % (2 * power) == added and moves or stays
    part[#part + 1], part[#part + 2] = all[at], all[at + 1]
  end
  generation.buckets, generation.power = added + 1, powerOfTwo(added + 1)
  if #moves == 0 then return end
  -- Written as a whole, it is stored compactly again if it had more fields than that allows.
  redis.call('DEL', from)
  writeBucket(generation, from, stays, now)
  writeBucket(generation, to, moves, now)
end

local function saveGeneration(generation, now)
  local state = string.format('%d %d %.0f', generation.buckets, generation.entries, generation.expiresAt)
  redis.call('HSET', GENERATIONS, generation.number, state)
  redis.call('PEXPIRE', GENERATIONS, string.format('%.0f', generation.expiresAt - now))
end

-- The generation whose entries will be remembered for long enough; begins one if there is none.
local function generationFor(keptMs, now)
  local generations = readGenerations()
  local newest = generations[1]
  if newest and newest.expiresAt >= now + keptMs then return newest end
  for at = #generations, 1, -1 do
    if generations[at].expiresAt <= now then redis.call('HDEL', GENERATIONS, table.remove(generations, at).number) end
  end
  local expiresAt = now + math.ceil(keptMs * (1 + GENERATION_SHARE))
  local begun = toGeneration(newest and newest.number + 1 or 1, 1, 0, expiresAt)
  table.insert(generations, 1, begun)
  return begun
end

-- Stores entries {key, value} for `keptMs` milliseconds or a little longer.
local function putEntries(entries, keptMs)
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  local generation = generationFor(tonumber(keptMs), now)
  for _, entry in ipairs(entries) do
    local bucket = bucketOf(generation, hashOf(entry[1]))
    if redis.call('HSET', bucket, entry[1], entry[2]) == 1 then
      generation.entries = generation.entries + 1
      if redis.call('HLEN', bucket) == 1 then
        redis.call('PEXPIRE', bucket, string.format('%.0f', generation.expiresAt - now))
      end
      if generation.entries > BUCKET_ENTRIES * generation.buckets then addBucket(generation, now) end
    end
  end
  saveGeneration(generation, now)
end
