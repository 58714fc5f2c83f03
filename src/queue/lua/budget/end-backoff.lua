--[[
  Lets the next throttle without Retry-After begin with a short wait again.

  KEYS[1]  budget

  Reply: 1 if there was a longer wait, else 0
]]
return redis.call('HDEL', KEYS[1], 'throttles')
