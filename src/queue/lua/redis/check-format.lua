--[[
  Tells whether this process may read the tenant's data, where it was read without a script.

  KEYS[1]  any key of the tenant

  Reply: 1, or an error if it may not
]]
return 1
