--[[
  The order of lists: by instant of acceptance, newest first, then by id. Ids are compared by their bytes, as Lua's own
  comparison depends on the server's locale.
]]
local function idIsLess(id, other)
  for at = 1, math.min(#id, #other) do
    local a, b = string.byte(id, at), string.byte(other, at)
    if a ~= b then return a < b end
  end
  return #id < #other
end

local function isNewer(row, other)
  if row[1] ~= other[1] then return row[1] > other[1] end
  return idIsLess(other[2], row[2])
end
