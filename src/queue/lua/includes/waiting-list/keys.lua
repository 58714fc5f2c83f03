--[[
  The keys and arguments that every script on the waiting list begins with.

  KEYS[1]     counts
  KEYS[2]     promoted deliveries, by instant of acceptance
  KEYS[3]     of those, the ones waiting for their next attempt, by when it is due
  KEYS[4..6]  the waiting lists, one for each rank
  KEYS[7]     retries and probes that have no attempt under way
  KEYS[8]     holds
  KEYS[9]     holds of configurations, by when their next probe may be chosen
  KEYS[10]    holds that ended and whose parked deliveries go back
  KEYS[11]    holds of configurations that have parked deliveries

  ARGV[1]  prefix of the tenant's keys
  ARGV[2]  how many new deliveries may be promoted and due
  ARGV[3]  milliseconds until a probe counts as lost
]]
local COUNTS, PROMOTED, PUT_OFF = KEYS[1], KEYS[2], KEYS[3]
local RETRYING, HOLDS, PROBES, RELEASED, PARKED_SETS = unpack(KEYS, 4 + RANK_COUNT, 8 + RANK_COUNT)
local ROOT, WINDOW, PROBE_LOST_MS = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
-- A script's own keys and arguments follow these.
local OWN_KEYS, OWN_ARGS = 8 + RANK_COUNT, 3

local function waitingList(rank) return KEYS[4 + rank] end
local function parked(hold) return ROOT .. ':parked:' .. hold end
