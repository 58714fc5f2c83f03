--[[
  Wraps a script that reads a tenant's data, or repeats a change without harm: where a newer version has taken the data
  over, it does not run.

  KEYS[1]  any key of the tenant

  Reply: the script's, or an error
]]
--- @include "format"

local refused = leftAlone()
if refused then return refused end
--- @script
