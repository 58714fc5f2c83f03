--[[
  The bytes of a text in hex: arguments of scripts are text, and our smallest values are not.
]]
local function from_hex(text)
  return (string.gsub(text, '%x%x', function(byte) return string.char(tonumber(byte, 16)) end))
end
