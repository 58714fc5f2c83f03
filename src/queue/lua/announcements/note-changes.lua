--[[
  Notes what operators are told about a tenant and leaves its announcements to be sent, unless another process was
  faster. Both in one step, so that a process that dies loses no announcement and repeats none.

  KEYS[1]   what operators were told, by tenant
  KEYS[2]   announcements that are to be sent
  KEYS[3]   rounds
  ARGV[1]   tenant
  ARGV[2]   what was noted when this process read it, or ''
  ARGV[3]   what is to be noted, or '' for nothing
  ARGV[4]   how many announcements are kept
  ARGV[5…]  type, announcement, type, announcement…

  Reply: 1, or 0 if it was changed since
]]
local ANNOUNCED, PENDING, ROUNDS = unpack(KEYS)
local tenant, before, after, most = unpack(ARGV)
if (redis.call('HGET', ANNOUNCED, tenant) or '') ~= before then return 0, false end
if after == '' then redis.call('HDEL', ANNOUNCED, tenant) else redis.call('HSET', ANNOUNCED, tenant, after) end
local time = redis.call('TIME')
for i = 5, #ARGV, 2 do
  local waiting = redis.call('LLEN', PENDING)
  if waiting >= tonumber(most) then
    redis.call('HINCRBY', ROUNDS, 'lost:' .. ARGV[i], 1)
  else
    redis.call('RPUSH', PENDING, ARGV[i + 1])
    if waiting == 0 then redis.call('HSET', ROUNDS, 'since', time[1] * 1000 + math.floor(time[2] / 1000)) end
  end
end
return 1
