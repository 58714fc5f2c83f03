--[[
  Ids and hashes as bytes: in base64url, as they are elsewhere, they would take a third more.
]]
local function sextet(byte)
  if byte >= 97 then return byte - 71 end
  if byte == 95 then return 63 end
  if byte >= 65 then return byte - 65 end
  if byte >= 48 then return byte + 4 end
  return 62
end

-- The bytes that a text in base64url stands for; bits left over at its end are dropped.
local function fromBase64(text)
  local groups = {}
  for at = 1, #text, 4 do
    local a, b, c, d = string.byte(text, at, at + 3)
    local bits = sextet(a) * 262144 + sextet(b) * 4096 + (c and sextet(c) or 0) * 64 + (d and sextet(d) or 0)
    local bytes = struct.pack('>I3', bits)
    groups[#groups + 1] = d and bytes or string.sub(bytes, 1, c and 2 or 1)
  end
  return table.concat(groups)
end

-- Replies are text.
local function toHex(bytes)
  return (string.gsub(bytes, '.', function(byte) return string.format('%02x', string.byte(byte)) end))
end
