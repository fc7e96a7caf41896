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
