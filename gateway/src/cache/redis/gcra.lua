-- Takes one from a key, or says how long to wait; see `gcra` in limits.rs.
-- KEYS[1]: the limit. ARGV: interval, window, both in microseconds; how many to
-- take (1), or to give back (-1).
-- Answers microseconds to wait; 0 when taken.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, window, take = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local stored = tonumber(redis.call('GET', KEYS[1]) or now)

local paid_at
if take < 0 then
  paid_at = stored - interval
else
  paid_at = math.max(stored, now) + interval
  local wait = paid_at - window - now
  if wait > 0 then
    return wait
  end
end
if paid_at > now then
  redis.call('SET', KEYS[1], string.format('%.0f', paid_at), 'PX', math.ceil((paid_at - now) / 1000))
else
  redis.call('DEL', KEYS[1])
end
return 0
