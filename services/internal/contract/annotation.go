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
	to.Shards, to.Time, to.Partition = 1, -1, -1
	n, ok := root.get("x-estela")
	if ok && n.kind != kindObject {
		c.problem(at, "must be an object, found %s", n.raw)
		return
	}
	_, keyed := n.get("key")
	if keyed {
		to.Dedupe = defaultDedupe
	}
	for _, m := range n.members {
		c.annotate(to, m, at+"/"+escapePointer(m.name))
	}
	if !keyed && to.Dedupe > 0 {
		c.problem(at+"/dedupe", "needs a key: duplicates are found by it")
	}
	c.defaultPartition(to, at)
	c.oneShard(to, at)
}

// defaultPartition makes the key the partition, where its text is surely that of the event: so
// producers in any language find the same shard.
func (c *compiler) defaultPartition(to *Contract, at string) {
	switch {
	case to.Partition >= 0:
	case len(to.Key) == 1 && to.Columns[to.Key[0]].Type != column.TimestampTZ:
		to.Partition = to.Key[0]
	case to.Shards > 1 && !c.reported(at+"/key") && !c.reported(at+"/partition"):
		c.problem(at, "partition is missing: name the property that %s, for there are several and no key of one property", duties["partition"])
	}
}

var duties = map[string]string{
	"key":       "names an event",
	"time":      "is the event's time",
	"partition": "decides the shard",
}

// The types that can do each duty.
var (
	keyTypes       = append([]column.Kind{column.TimestampTZ}, partitionTypes...)
	partitionTypes = []column.Kind{
		column.Varchar, column.UUID, column.Date, column.Boolean, column.TinyInt, column.SmallInt, column.Integer, column.BigInt,
	}
	timeTypes = []column.Kind{column.TimestampTZ, column.Date}
)

func (c *compiler) annotate(to *Contract, m member, at string) {
	switch m.name {
	case "key":
		c.key(to, m, at)
	case "partition":
		to.Partition = c.column(to, m, at, partitionTypes)
	case "time":
		to.Time = c.column(to, m, at, timeTypes)
	case "shards":
		to.Shards = c.shards(m.value, at)
	case "dedupe":
		to.Dedupe = c.duration(m.value, at)
	case "retention":
		to.Retention = c.duration(m.value, at)
	case "stream":
		to.Stream = c.stream(m.value, at)
	case "cloudevents":
		c.cloudEvents(to, m.value, at)
	default:
		c.problem(at, "unknown: there are key, time, partition, shards, dedupe, retention, stream and cloudevents")
	}
}

// key reads the name of a property, or an array of names.
func (c *compiler) key(to *Contract, m member, at string) {
	if m.value.kind != kindArray {
		if i := c.column(to, m, at, keyTypes); i >= 0 {
			to.Key = []int{i}
		}
		return
	}
	for i, name := range m.value.items {
		here := at + "/" + strconv.Itoa(i)
		k := c.column(to, member{m.name, name}, here, keyTypes)
		if slices.Contains(to.Key, k) {
			c.problem(here, "%q is named twice", name.text)
		} else if k >= 0 {
			to.Key = append(to.Key, k)
		}
	}
	if len(m.value.items) == 0 {
		c.problem(at, "names no property: leave key out if nothing identifies an event")
	}
}

// column finds the property that m names and checks that it can do m's duty; -1: there is none.
func (c *compiler) column(to *Contract, m member, at string, types []column.Kind) int {
	if i := to.indexOf(m.value); i >= 0 {
		column := &to.Columns[i]
		if !column.Required {
			c.problem(at, "property %q %s: it must be required and never null", column.Name, duties[m.name])
		}
		if !slices.Contains(types, column.Type) {
			c.problem(at, "property %q %s: it must be %s, and is a %s", column.Name, duties[m.name], wanted(m.name), column.Type)
		}
		return i
	}
	c.problem(at, "names no property: found %s", m.value.raw)
	return -1
}

func wanted(duty string) string {
	if duty == "time" {
		return "a string of format date-time or date"
	}
	if duty == "partition" {
		return "a string other than a date-time, an integer or a boolean"
	}
	return "a string, an integer or a boolean"
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
	d, err := ParseDuration(n.text)
	if n.kind != kindString || err != nil || d < 0 || d%time.Millisecond != 0 {
		c.problem(at, `must be a duration in whole milliseconds, such as "90m", "24h", "7d" or "0", found %s`, n.raw)
		return 0
	}
	return d
}

// ParseDuration reads Go's durations and, in front of them, days.
func ParseDuration(text string) (time.Duration, error) {
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
