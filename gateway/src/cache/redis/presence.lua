-- Presence of the users of one shard. A user's leases are one JSON value:
--   {"shown": status, "told": status, "again": time or nothing,
--    "leases": {lease: [status, expires, released]}}
-- `shown` is what the leases say; `told` is what the watchers were last told.
-- While the two differ the user stays due, so that a replica that dies between
-- deciding and telling leaves nobody in the wrong belief. And each change is told
-- once more, `again`: a replica that tells its own devices at once may hear the
-- older word of another replica after that, and the last word is to be right.
--
-- KEYS: users (hash), due (sorted set: when a user must be looked at next),
-- sweeper, epoch. ARGV[1]: what to do. Times are milliseconds of Redis' clock.

local users, due, sweeper, epoch = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local RETELL = 2000

local function load(user)
  local raw = redis.call('HGET', users, user)
  if raw then
    return cjson.decode(raw)
  end
  return { shown = 'offline', told = 'offline', leases = {} }
end

-- Online while any lease says so, away while the others do. A lease that was
-- released counts until it expires, but no longer than another one speaks.
local function status(leases)
  local any, live, online, released_online = false, false, false, false
  for _, lease in pairs(leases) do
    any = true
    if lease[3] == 1 then
      released_online = released_online or lease[1] == 'online'
    else
      live = true
      online = online or lease[1] == 'online'
    end
  end
  if not any then
    return 'offline'
  end
  if online or (released_online and not live) then
    return 'online'
  end
  return 'away'
end

-- Drops what has run out, writes the user back; true when there is news.
local function settle(user, state)
  local next_due = state.again
  for id, lease in pairs(state.leases) do
    if lease[2] <= now then
      state.leases[id] = nil
    elseif not next_due or lease[2] < next_due then
      next_due = lease[2]
    end
  end
  state.shown = status(state.leases)
  local again = state.again and state.again <= now
  local news = state.shown ~= state.told or again
  if not next_due and not news then
    redis.call('HDEL', users, user)
    redis.call('ZREM', due, user)
    return false
  end
  if news then
    next_due = now + RETELL
  end
  redis.call('HSET', users, user, cjson.encode(state))
  redis.call('ZADD', due, next_due, user)
  return news
end

local act = ARGV[1]

-- lease USER LEASE STATUS MILLIS -> the news, or false
if act == 'lease' then
  local state = load(ARGV[2])
  state.leases[ARGV[3]] = { ARGV[4], now + tonumber(ARGV[5]), 0 }
  return settle(ARGV[2], state) and state.shown
end

-- release USER LEASE MILLIS
if act == 'release' then
  local state = load(ARGV[2])
  local lease = state.leases[ARGV[3]]
  if lease then
    -- Of those that have ended only the last one counts.
    for id, other in pairs(state.leases) do
      if other[3] == 1 then
        state.leases[id] = nil
      end
    end
    state.leases[ARGV[3]] = { lease[1], now + tonumber(ARGV[4]), 1 }
    if settle(ARGV[2], state) then
      redis.call('ZADD', due, now, ARGV[2])
    end
  end
  return false
end

-- told USER STATUS [USER STATUS ...]
if act == 'told' then
  for i = 2, #ARGV, 2 do
    local state = load(ARGV[i])
    if state.told ~= ARGV[i + 1] then
      state.told = ARGV[i + 1]
      state.again = now + RETELL
    elseif state.again and state.again <= now then
      state.again = nil
    end
    settle(ARGV[i], state)
  end
  return false
end

-- sweep REPLICA EPOCH HOLD LIMIT -> epoch, then USER STATUS pairs
redis.call('SET', epoch, ARGV[3], 'NX')
local answer = { redis.call('GET', epoch) }
local holder = redis.call('GET', sweeper)
if holder and holder ~= ARGV[2] then
  return answer
end
redis.call('SET', sweeper, ARGV[2], 'PX', ARGV[4])
local late = redis.call('ZRANGEBYSCORE', due, '-inf', now, 'LIMIT', 0, ARGV[5])
for _, user in ipairs(late) do
  local state = load(user)
  if settle(user, state) then
    table.insert(answer, user)
    table.insert(answer, state.shown)
  end
end
return answer
