package embeddedredis_test

import (
	"fmt"
	"maps"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/estela-dev/estela/services/internal/redistest"
)

// lacking are what XINFO of redis-server says beside: its own layout, and two numbers that nobody asks for.
var lacking = map[string]bool{"radix-tree-keys": true, "radix-tree-nodes": true, "entries-read": true, "lag": true}

// known is a reply without what is lacking here, and its pairs without their order.
func known(command []string, reply any) any {
	list, ok := reply.([]any)
	if !ok || !strings.EqualFold(command[0], "XINFO") {
		return reply
	}
	if command[1] == "GROUPS" {
		groups := make([]any, len(list))
		for i := range list {
			groups[i] = known([]string{"XINFO", "STREAM"}, list[i])
		}
		return groups
	}
	pairs := map[string]any{}
	for i := 0; i+1 < len(list); i += 2 {
		pairs[list[i].(string)] = list[i+1]
	}
	maps.DeleteFunc(pairs, func(name string, _ any) bool { return lacking[name] })
	return pairs
}

// TestStreamsAnswerAsRedis sends the same commands to redis-server and to an embedded server.
func TestStreamsAnswerAsRedis(t *testing.T) {
	t.Parallel()
	_, addr := start(t, 1<<30)
	ours, theirs := dial(t, addr), dial(t, redistest.Start(t).Addr())
	rapid.Check(t, func(t *rapid.T) {
		for _, c := range []*client{ours, theirs} {
			if reply := c.do("FLUSHALL"); reply != "OK" {
				t.Fatalf("FLUSHALL: %v", reply)
			}
		}
		for _, command := range rapid.SliceOfN(commandGen, 1, 60).Draw(t, "commands") {
			want, got := known(command, theirs.do(command...)), known(command, ours.do(command...))
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%.200q:\n got %.2000q\nwant %.2000q", command, fmt.Sprint(got), fmt.Sprint(want))
			}
		}
	})
}

var (
	keyGen  = rapid.SampledFrom([]string{"a", "b"})
	fewGen  = rapid.Custom(func(t *rapid.T) string { return strconv.Itoa(rapid.IntRange(-1, 60).Draw(t, "n")) })
	nameGen = rapid.SampledFrom([]string{"g", "h"})
	idGen   = rapid.Custom(func(t *rapid.T) string {
		const largest = "18446744073709551615"
		ms, seq := strconv.Itoa(rapid.IntRange(0, 60).Draw(t, "ms")), strconv.Itoa(rapid.IntRange(0, 3).Draw(t, "seq"))
		return rapid.SampledFrom([]string{
			ms + "-" + seq, ms + "-" + seq, ms + "-" + seq, ms, ms + "-" + largest, largest + "-" + largest, "x", "1-", "",
		}).Draw(t, "id")
	})
	// newIDGen leaves out the end of a millisecond, after which redis-server's error is another one's.
	newIDGen = idGen.Filter(func(id string) bool { return !strings.HasSuffix(id, "-18446744073709551615") || len(id) > 40 })
	boundGen = rapid.Custom(func(t *rapid.T) string {
		return rapid.SampledFrom([]string{"", "("}).Draw(t, "open") + idGen.Draw(t, "bound")
	})
	endGen  = rapid.OneOf(rapid.SampledFrom([]string{"-", "+", "(-"}), boundGen)
	trimGen = rapid.Custom(func(t *rapid.T) []string {
		trim := []string{rapid.SampledFrom([]string{"MINID", "minid", "MAXLEN"}).Draw(t, "strategy")}
		if rapid.Bool().Draw(t, "exact") {
			trim = append(trim, "=")
		}
		if trim[0] == "MAXLEN" {
			return append(trim, fewGen.Draw(t, "length"))
		}
		return append(trim, idGen.Draw(t, "threshold"))
	})
	// runGen is a script that adds many entries, so that a stream has several nodes.
	runGen = rapid.Custom(func(t *rapid.T) []string {
		const script = `for i = 1, tonumber(ARGV[1]) do redis.pcall('XADD', KEYS[1], ARGV[2] .. '-' .. i, 'f', string.rep('x', tonumber(ARGV[3]))) end
			return redis.pcall('XLEN', KEYS[1])`
		return []string{
			"EVAL", script, "1", keyGen.Draw(t, "key"), strconv.Itoa(rapid.IntRange(1, 300).Draw(t, "entries")),
			strconv.Itoa(rapid.IntRange(0, 60).Draw(t, "ms")), strconv.Itoa(rapid.SampledFrom([]int{0, 10, 1000, 100_000}).Draw(t, "size")),
		}
	})
	commandGen = rapid.Custom(drawCommand)
)

// notLargest leaves out the ID by which redis-server means ">".
func notLargest(id string) bool { return len(id) < 40 }

// drawCommand draws a command and its arguments, of which some are wrong.
func drawCommand(t *rapid.T) []string {
	key, name := keyGen.Draw(t, "key"), nameGen.Draw(t, "group")
	id := func() string { return idGen.Draw(t, "id") }
	flag := func(words ...string) []string {
		if rapid.Bool().Draw(t, "with "+words[0]) {
			return words
		}
		return nil
	}
	with := func(words []string, more ...[]string) []string {
		for _, m := range more {
			words = append(words, m...)
		}
		return words
	}
	switch rapid.SampledFrom([]string{
		"add", "add", "add", "run", "trim", "trim", "delete", "range", "range", "length", "set id", "info", "groups", "create", "create", "destroy",
		"move", "read", "read group", "read group", "ack", "pending", "wrong", "other type",
	}).Draw(t, "command") {
	case "add":
		add := []string{"XADD", key}
		if rapid.IntRange(0, 4).Draw(t, "trims") == 0 {
			add = append(add, trimGen.Draw(t, "trim")...)
		}
		newID := rapid.OneOf(newIDGen, rapid.Custom(func(t *rapid.T) string { return strconv.Itoa(rapid.IntRange(0, 60).Draw(t, "ms")) + "-*" })).Draw(t, "new")
		return with(add, flag("NOMKSTREAM"), []string{newID, "event", strings.Repeat("x", rapid.IntRange(0, 3000).Draw(t, "size"))}, flag("more", ""))
	case "run":
		return runGen.Draw(t, "run")
	case "trim":
		return with([]string{"XTRIM", key}, trimGen.Draw(t, "trim"))
	case "delete":
		return []string{"XDEL", key, id(), id()}
	case "range":
		command := rapid.SampledFrom([]string{"XRANGE", "XREVRANGE"}).Draw(t, "direction")
		return with([]string{command, key, endGen.Draw(t, "from"), endGen.Draw(t, "to")}, flag("COUNT", fewGen.Draw(t, "count")))
	case "length":
		return []string{"XLEN", key}
	case "set id":
		return []string{"XSETID", key, newIDGen.Draw(t, "id")}
	case "info":
		return []string{"XINFO", "STREAM", key}
	case "groups":
		return []string{"XINFO", "GROUPS", key}
	case "create":
		at := rapid.OneOf(idGen, rapid.Just("$")).Draw(t, "at")
		return with([]string{"XGROUP", "CREATE", key, name, at}, flag("MKSTREAM"))
	case "destroy":
		return []string{"XGROUP", "DESTROY", key, name}
	case "move":
		return []string{"XGROUP", "SETID", key, name, id()}
	case "read":
		return with([]string{"XREAD"}, flag("COUNT", fewGen.Draw(t, "count")), []string{"STREAMS", "a", "b", id(), id()})
	case "read group":
		after := rapid.OneOf(rapid.Just(">"), rapid.Just(">"), idGen.Filter(notLargest)).Draw(t, "after")
		return with([]string{"XREADGROUP", "GROUP", name, nameGen.Draw(t, "consumer")}, flag("COUNT", fewGen.Draw(t, "count")), flag("NOACK"), []string{"STREAMS", key, after})
	case "ack":
		return []string{"XACK", key, name, id(), id(), id()}
	case "pending":
		return []string{"XPENDING", key, name}
	case "wrong":
		return rapid.SampledFrom([][]string{
			{"XADD", key, "1-1"},
			{"XADD", key, "1-1", "f"},
			{"XTRIM", key},
			{"XTRIM", key, "MAXLEN"},
			{"XTRIM", key, "MINID", "=", "1-1", "LIMIT", "3"},
			{"XTRIM", key, "MAXLEN", "1", "MINID", "1"},
			{"XRANGE", key, "-"},
			{"XRANGE", key, "-", "+", "COUNT"},
			{"XLEN"},
			{"XDEL", key},
			{"XSETID", key},
			{"XREADGROUP", "GROUP", name, "c", "STREAMS", key},
			{"XREAD", "STREAMS"},
			{"XTRIM", key, "MAXLEN", "x"},
			{"XREAD", "BLOCK", "-1", "STREAMS", key, "0"},
		}).Draw(t, "wrong")
	default:
		return rapid.SampledFrom([][]string{{"SET", key, "x"}, {"DEL", key}, {"EXISTS", key}, {"TYPE", key}, {"HSET", key, "f", "x"}, {"UNLINK", key}}).Draw(t, "other")
	}
}
