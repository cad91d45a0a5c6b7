package stream

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// The scripts run with allow-oom: a worker that starts on a full server must be able to acquire
// its lease and to create its group, or nothing would ever be trimmed.
const (
	shebang = "#!lua flags=allow-oom\n"

	// above compares IDs as text: their halves can exceed Lua's numbers.
	aboveFunc = `
local function above(a, b)
  local am, as = string.match(a, '^(%d+)-(%d+)$')
  local bm, bs = string.match(b, '^(%d+)-(%d+)$')
  if #am ~= #bm then return #am > #bm end
  if am ~= bm then return am > bm end
  if #as ~= #bs then return #as > #bs end
  return as > bs
end
`

	// cursor is the name of a group and its last delivered ID, from XINFO GROUPS.
	cursorFunc = `
local function cursor(group)
  local name, at
  for i = 1, #group, 2 do
    if group[i] == 'name' then name = group[i + 1] end
    if group[i] == 'last-delivered-id' then at = group[i + 1] end
  end
  return name, at
end
`

	// Keys: lease, warehouse. Args: token, ttl in ms, and the warehouse. One's own token is
	// no other owner: the reply to an earlier attempt may have been lost. A worker of another
	// warehouse gets no lease, but the claim in the way.
	acquireScript = shebang + warehouseFunc + `
local owner = conflict()
if owner then return owner end
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
claim()
return 1`

	// As for acquireScript. The claim is written again: a FLUSHALL may have removed it.
	renewScript = shebang + warehouseFunc + `
local owner = conflict()
if owner then return owner end
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
claim()
return redis.call('PEXPIRE', KEYS[1], ARGV[2])`

	releaseScript = shebang + `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])`

	// Keys: stream, lease. Args: epoch, n, group, after, token, what begins the names of groups,
	// mode. Returns whether the group was made (2: there is no stream, and it is foreign), the
	// name of a younger group if one was there, and the ID that it reads after. The owner of the lease owns the shard: a younger group is then a
	// leftover of another warehouse, or of this one before it was restored.
	//
	// A group is part of its stream. If none of the last owner's (or of this one) is at
	// "after" or beyond, the stream is not the one that was read up to there.
	attachScript = shebang + aboveFunc + cursorFunc + `
local epoch, n, others, younger = tonumber(ARGV[1]), tonumber(ARGV[2]), {}, ''
local after, known = ARGV[4], ARGV[4] == '0-0'
if redis.call('EXISTS', KEYS[1]) == 1 then
  for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
    local name, at = cursor(group)
    local e, m = string.match(string.sub(name, #ARGV[6] + 1), '^(%d+)%.(%d+)$')
    if e and string.sub(name, 1, #ARGV[6]) == ARGV[6] then
      e, m = tonumber(e), tonumber(m)
      if e > epoch or (e == epoch and m >= n) then younger = name end
      if e >= epoch - 1 and not above(after, at) then known = true end
      others[#others + 1] = name
    end
  end
elseif ARGV[7] == 'foreign' then
  return {2, ''}
end
if younger ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[5] then return {0, younger} end
for _, name in ipairs(others) do redis.call('XGROUP', 'DESTROY', KEYS[1], name) end
if not known then after = '0-0' end
redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[3], after, 'MKSTREAM')
return {1, younger, after}`

	// Keys: stream. Args: ID. The comparison is in the script because XSETID
	// would also lower the last ID of an empty stream.
	raiseLastIDScript = shebang + aboveFunc + `
if redis.call('EXISTS', KEYS[1]) == 0 then
  redis.call('XGROUP', 'CREATE', KEYS[1], 'estela:0.0', '0', 'MKSTREAM')
  redis.call('XGROUP', 'DESTROY', KEYS[1], 'estela:0.0')
end
local info, last = redis.call('XINFO', 'STREAM', KEYS[1]), '0-0'
for i = 1, #info, 2 do
  if info[i] == 'last-generated-id' then last = info[i + 1] end
end
if not above(ARGV[1], last) then return 0 end
redis.call('XSETID', KEYS[1], ARGV[1])
return 1`

	// Keys: stream, trimmed_to. Args: bound, the ID after it, group. trimmed_to is the highest
	// ID that is really removed: a warehouse whose position is below it has lost entries.
	// Returns the number of entries removed, -1 if the group is gone or is not at the bound
	// yet: then this is not the stream that was read.
	trimScript = shebang + aboveFunc + cursorFunc + `
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local doomed = redis.call('XREVRANGE', KEYS[1], ARGV[1], '-', 'COUNT', 1)
if #doomed == 0 then return 0 end
local known = ARGV[3] == '' -- a reader that is not attached has no cursor
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local name, at = cursor(group)
  if name == ARGV[3] and not above(doomed[1][1], at) then known = true end
end
if not known then return -1 end
local noted = redis.call('GET', KEYS[2])
if not noted or above(doomed[1][1], noted) then redis.call('SET', KEYS[2], doomed[1][1]) end
return redis.call('XTRIM', KEYS[1], 'MINID', '=', ARGV[2])`

	// Keys: lease, stored. Args: token, last, added, stored. The time is the server's, in ms.
	storedScript = shebang + `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000))
redis.call('HSET', KEYS[2], 'last', ARGV[2], 'added', ARGV[3], 'stored', ARGV[4], 'at', now)
return 1`

	// Keys: contracts. Args: HSET or HSETNX, dataset, schema, and versions. HSET removes other
	// versions: nothing was ever stored by them.
	contractScript = shebang + `
if ARGV[1] == 'HSET' then
  for _, field in ipairs(redis.call('HKEYS', KEYS[1])) do
    if string.sub(field, 1, #ARGV[2] + 1) == ARGV[2] .. '@' then redis.call('HDEL', KEYS[1], field) end
  end
end
redis.call(ARGV[1], KEYS[1], ARGV[2], ARGV[3])
for i = 4, #ARGV do redis.call('HSET', KEYS[1], ARGV[2] .. '@' .. ARGV[i], '') end
return 1`

	// Keys: workers. Args: owner, ttl in ms. Returns the number of live workers.
	heartbeatScript = shebang + `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], string.format('%.0f', now + ARGV[2]), ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', string.format('%.0f', now))
local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]
redis.call('PEXPIREAT', KEYS[1], string.format('%.0f', tonumber(last)))
return redis.call('ZCARD', KEYS[1])`
)

// The modes of attachScript: whether it may create the stream.
const (
	attachOwn     = "own"
	attachForeign = "foreign"
)

// eval runs a script.
func (c *Client) eval(ctx context.Context, script string, keys []string, args ...any) *redis.Cmd {
	return c.rdb.Eval(ctx, script, keys, args...)
}
