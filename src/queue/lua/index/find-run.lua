--[[
  Finds deliveries by their run: looks through the rows of some chunks, newest first. Others whose search hash begins alike
  may be among them.

  KEYS[1]  counts
  ARGV[1]  prefix of the tenant's keys
  ARGV[2]  search hash of the run
  ARGV[3]  number of the newest chunk to look through, or '+inf'
  ARGV[4]  how many chunks

  Reply: {number of the next chunk, null if there is none; ids…}
]]
local ROOT = ARGV[1]
--- @include "index/matching-rows"

local run, most = ARGV[2], tonumber(ARGV[4])
local chunks = redis.call('ZREVRANGEBYSCORE', CHUNKS, ARGV[3], '-inf', 'LIMIT', 0, most + 1)
local reply = {chunks[most + 1] or false}
for index = 1, math.min(#chunks, most) do
  for _, id in ipairs(idsOfRun(chunks[index], run)) do reply[#reply + 1] = id end
end
return reply
