"""What must happen in one step inside Redis.

A script touches keys of one partition only: their common hash tag keeps them together.
"""

from typing import Final

STREAM_ENTRIES_MAX: Final = 10_000
"""Durable publications a partition keeps, roughly; who missed more reads the store."""

GAP: Final = -1
KNOWN: Final = 0
TAKEN: Final = 1

APPEND: Final = """
-- KEYS: stream, numbers, channel. ARGV: room, epoch, first n, last n, message, entries kept.
-- Numbers come from the store; here they only say what was published before. 0 = none.
local first, last = tonumber(ARGV[3]), tonumber(ARGV[4])
if last > 0 then
  local known = redis.call('HGET', KEYS[2], ARGV[1])
  if known then
    local n, epoch = string.match(known, '^(%d+):(.*)$')
    n = tonumber(n)
    if epoch == ARGV[2] then
      if last <= n then return {0, n} end
      if first > n + 1 then return {-1, n} end
    end
  end
  redis.call('HSET', KEYS[2], ARGV[1], ARGV[4] .. ':' .. ARGV[2])
end
local id = redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[6], '*', 'r', ARGV[1], 'm', ARGV[5])
redis.call('SPUBLISH', KEYS[3], id .. '\\n' .. ARGV[5])
return {1, last}
"""
"""Drop what was published before, refuse what would leave a gap, else append and publish."""

TELL: Final = """
-- KEYS: nodes. ARGV: process, what it tells, milliseconds it is believed for ('' = forget it).
-- Liveness is measured by this server's clock alone: the nodes' clocks may differ.
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if ARGV[3] == '' then redis.call('HDEL', KEYS[1], ARGV[1])
else redis.call('HSET', KEYS[1], ARGV[1], string.format('%d:', now + ARGV[3]) .. ARGV[2]) end
local all, living = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #all, 2 do
  local mark = string.find(all[i + 1], ':', 1, true)
  if tonumber(string.sub(all[i + 1], 1, mark - 1)) > now then
    living[#living + 1] = all[i]
    living[#living + 1] = string.sub(all[i + 1], mark + 1)
  else redis.call('HDEL', KEYS[1], all[i]) end
end
return living
"""
"""Tell what a process has, and hear what the living ones told."""

TAKE: Final = """
-- KEYS: place, fence. ARGV: process, url, user, session, milliseconds.
local fence = redis.call('INCR', KEYS[2])
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'process', ARGV[1], 'url', ARGV[2], 'user', ARGV[3],
  'session', ARGV[4], 'fence', fence)
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return fence
"""
"""Lease a room's place; the fence tells this lease from every other."""

RENEW: Final = """
-- KEYS: place. ARGV: process, url, user, session, milliseconds, fence.
local holder = redis.call('HMGET', KEYS[1], 'process', 'fence')
if not holder[1] then
  redis.call('HSET', KEYS[1], 'process', ARGV[1], 'url', ARGV[2], 'user', ARGV[3],
    'session', ARGV[4], 'fence', ARGV[6])
elseif holder[1] ~= ARGV[1] or holder[2] ~= ARGV[6] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[5])
return 1
"""
"""Keep a lease, also one that Redis forgot; 0 = another process has taken the room."""

RELEASE: Final = """
-- KEYS: place. ARGV: process, fence.
local holder = redis.call('HMGET', KEYS[1], 'process', 'fence')
if holder[1] == ARGV[1] and holder[2] == ARGV[2] then redis.call('DEL', KEYS[1]) end
return 0
"""
"""Give a lease back."""
