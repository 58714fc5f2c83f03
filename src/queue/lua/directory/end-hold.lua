--[[
  Ends the hold of the directory.

  KEYS[1]  hold of the directory
  KEYS[2]  ids whose questions failed since one was last answered

  Reply: 1, or 0 if it was not held
]]
redis.call('DEL', KEYS[2])
return redis.call('DEL', KEYS[1])
