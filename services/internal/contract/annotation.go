package contract

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/column"
)

// MaxShards is the most streams that a dataset can be split into.
const MaxShards = 1024

const (
	defaultDedupe = 24 * time.Hour
	day           = 24 * time.Hour
)

// annotation is the block x-estela.
func (c *compiler) annotation(to *Contract, root node) {
	const at = "/x-estela"
	n, ok := root.get("x-estela")
	if !ok {
		c.problem("", `x-estela is missing: add "x-estela": {"key": PROPERTY, "time": PROPERTY}`)
		return
	}
	if n.kind != kindObject {
		c.problem(at, "must be an object, found %s", n.raw)
		return
	}
	to.Shards, to.Dedupe = 1, defaultDedupe
	for _, m := range n.members {
		c.annotate(to, m, at+"/"+escapePointer(m.name))
	}
	for _, name := range []string{"key", "time"} {
		if _, ok := n.get(name); !ok {
			c.problem(at, "%s is missing: name the property that %s", name, duties[name])
		}
	}
	if _, ok := n.get("partition"); !ok {
		to.Partition = to.Key
	}
}

var duties = map[string]string{
	"key":       "names an event",
	"time":      "is the event's time",
	"partition": "decides the shard",
}

func (c *compiler) annotate(to *Contract, m member, at string) {
	switch m.name {
	case "key":
		to.Key = c.column(to, m, at, column.Varchar, column.UUID, column.TinyInt, column.SmallInt, column.Integer, column.BigInt)
	case "partition":
		to.Partition = c.column(to, m, at, column.Varchar, column.UUID, column.TinyInt, column.SmallInt, column.Integer, column.BigInt)
	case "time":
		to.Time = c.column(to, m, at, column.TimestampTZ)
	case "shards":
		to.Shards = c.shards(m.value, at)
	case "dedupe":
		to.Dedupe = c.duration(m.value, at)
	case "retention":
		to.Retention = c.duration(m.value, at)
	default:
		c.problem(at, "unknown: there are key, time, partition, shards, dedupe and retention")
	}
}

// column finds the property that m names and checks that it can do m's duty.
func (c *compiler) column(to *Contract, m member, at string, types ...column.Kind) int {
	for i := range to.Columns {
		column := &to.Columns[i]
		if m.value.kind != kindString || column.Name != m.value.text {
			continue
		}
		if !column.Required {
			c.problem(at, "property %q %s: it must be required and never null", column.Name, duties[m.name])
		}
		if !slices.Contains(types, column.Type) {
			c.problem(at, "property %q %s: it must be %s, and is a %s", column.Name, duties[m.name], wanted(m.name), column.Type)
		}
		return i
	}
	c.problem(at, "names no property: found %s", m.value.raw)
	return 0
}

func wanted(duty string) string {
	if duty == "time" {
		return "a string of format date-time"
	}
	return "a string without a date format, a uuid or an integer"
}

func (c *compiler) shards(n node, at string) int {
	if n.kind == kindNumber {
		if shards, ok := n.decimal().Int64(); ok && shards >= 1 && shards <= MaxShards {
			return int(shards)
		}
	}
	c.problem(at, "must be an integer from 1 to %d, found %s", MaxShards, n.raw)
	return 1
}

func (c *compiler) duration(n node, at string) time.Duration {
	d, err := parseDuration(n.text)
	if n.kind != kindString || err != nil || d < 0 || d%time.Millisecond != 0 {
		c.problem(at, `must be a duration in whole milliseconds, such as "90m", "24h", "7d" or "0", found %s`, n.raw)
		return 0
	}
	return d
}

// parseDuration reads Go's durations and, in front of them, days.
func parseDuration(text string) (time.Duration, error) {
	count, rest, ok := strings.Cut(text, "d")
	if !ok {
		return time.ParseDuration(text)
	}
	days, err := strconv.ParseUint(count, 10, 32)
	if err != nil {
		return 0, fmt.Errorf("parse days of %q: %w", text, err)
	}
	var more time.Duration
	if rest != "" {
		if more, err = time.ParseDuration(rest); err != nil {
			return 0, err
		}
	}
	if more < 0 || days > uint64((math.MaxInt64-more)/day) {
		return 0, fmt.Errorf("duration %q is out of range", text)
	}
	return time.Duration(days)*day + more, nil
}
