package embeddedredis

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/event"
)

func (s *Server) xgroup(c *call) {
	verb, key, name := strings.ToLower(c.args[1]), c.args[2], c.args[3]
	st, ok := s.lookup(c, key)
	if !ok {
		return
	}
	makes := c.is(5, "MKSTREAM") && verb == "create"
	if st == nil && !makes {
		c.fail("ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.")
		return
	}
	switch {
	case verb == "destroy" && len(c.args) == 4:
		_, existed := st.groups[name]
		delete(st.groups, name)
		s.notify = true // whoever waits for its entries is told that it is gone
		if existed {
			c.integer(1)
			return
		}
		c.integer(0)
	case verb == "create" && (len(c.args) == 5 || len(c.args) == 6 && makes), verb == "setid" && len(c.args) == 5:
		s.setGroup(c, st, key, name, verb == "create")
	default:
		c.fail(unsupported("xgroup|" + verb))
	}
}

// setGroup is XGROUP CREATE and SETID.
func (s *Server) setGroup(c *call, st *stream, key, name string, creates bool) {
	if !creates && st.groups[name] == nil {
		c.fail(fmt.Sprintf("NOGROUP No such consumer group '%s' for key name '%s'", name, key))
		return
	}
	at := c.args[4]
	if at == "$" && st != nil {
		at = st.last.String()
	} else if at == "$" {
		at = "0"
	}
	id, ok := c.parseID(at, 0)
	if !ok {
		return
	}
	if st == nil {
		st = s.create(c, key)
	}
	switch {
	case !creates:
		st.groups[name].last = id
		s.notify = true
	case st.groups[name] != nil:
		c.fail("BUSYGROUP Consumer Group name already exists")
		return
	default:
		st.groups[name] = &group{last: id, consumers: map[string]bool{}, pending: map[event.ID]string{}}
	}
	c.ok()
}

// reading is what XREAD and XREADGROUP ask for.
type reading struct {
	group, consumer string
	count           int64
	noAck           bool
	keys            []string
	ids             []string // a part of the call's arguments
}

func (c *call) parseReading() (r reading, ok bool) {
	grouped := c.name() == "XREADGROUP"
	r.count, c.block = math.MaxInt64, -1
	for i := 1; i < len(c.args); i++ {
		more := len(c.args) - i - 1
		switch {
		case c.is(i, "COUNT") && more >= 1:
			i++
			if r.count, ok = c.parseInt(c.args[i]); !ok {
				return r, false
			}
			if r.count <= 0 {
				r.count = math.MaxInt64
			}
		case c.is(i, "BLOCK") && more >= 1:
			i++
			ms, ok := c.parseInt(c.args[i])
			if !ok {
				return r, false
			}
			if ms < 0 {
				c.fail("ERR timeout is negative")
				return r, false
			}
			c.block = time.Duration(ms) * time.Millisecond
		case c.is(i, "GROUP") && more >= 2 && grouped:
			r.group, r.consumer = c.args[i+1], c.args[i+2]
			i += 2
		case c.is(i, "NOACK") && grouped:
			r.noAck = true
		case c.is(i, "STREAMS") && more >= 1:
			rest := c.args[i+1:]
			if len(rest)%2 != 0 {
				c.fail("ERR Unbalanced '" + strings.ToLower(c.name()) + "' list of streams: for each stream key an ID or '$' must be specified.")
				return r, false
			}
			r.keys, r.ids = rest[:len(rest)/2], rest[len(rest)/2:]
			if grouped && r.group == "" {
				c.fail("ERR Missing GROUP option for XREADGROUP")
				return r, false
			}
			return r, true
		default:
			c.fail(errSyntax)
			return r, false
		}
	}
	c.fail(errSyntax)
	return r, false
}

// xread is XREAD and XREADGROUP.
func (s *Server) xread(c *call) {
	r, ok := c.parseReading()
	if !ok {
		return
	}
	sources := make([]source, len(r.keys)) // of all keys before any is read, which moves the cursor of its group
	for i, key := range r.keys {
		st, ok := s.lookup(c, key)
		if !ok {
			return
		}
		sources[i].stream = st
		if r.group == "" {
			if id := r.ids[i]; id != "$" {
				if _, ok := c.parseID(id, 0); !ok { // before the next stream is looked for
					return
				}
			}
			continue
		}
		if sources[i].group = st.group(r.group); sources[i].group == nil {
			c.fail(fmt.Sprintf("NOGROUP No such key '%s' or consumer group '%s' in XREADGROUP with GROUP option", key, r.group))
			return
		}
	}
	found, all := 0, s.scratch[:0]
	defer func() { s.keepScratch(all) }()
	for i, key := range r.keys {
		before := len(all)
		if !c.peer.Resp3 {
			all = appendHeader(all, '*', 2)
		}
		entries, n, ok := c.readOne(appendBulk(all, key), r, sources[i], i)
		if !ok {
			return
		}
		if all = entries; n < 0 {
			all = all[:before]
			continue
		}
		found++
	}
	switch {
	case found == 0:
		c.waits = c.block >= 0
		c.nullArray()
		return
	case c.peer.Resp3:
		c.dict(found)
	default:
		c.array(found)
	}
	c.out = append(c.out, all...)
}

// source is a stream that is read, nil if there is none, and the group that reads it, nil for XREAD.
type source struct {
	stream *stream
	group  *group
}

// group returns the group of that name, nil if there is none, or no stream.
func (st *stream) group(name string) *group {
	if st == nil {
		return nil
	}
	return st.groups[name]
}

// readOne appends the entries of one stream as an array of RESP, and returns how many, -1 for none to speak of. Not ok:
// the call has failed.
func (c *call) readOne(out []byte, r reading, from source, i int) (_ []byte, n int64, ok bool) {
	st, g := from.stream, from.group
	var after event.ID
	if g != nil && r.ids[i] == ">" {
		after = g.last
	} else {
		if r.ids[i] == "$" && g == nil { // also for when the command is run again
			r.ids[i] = "0-0"
			if st != nil {
				r.ids[i] = st.last.String()
			}
		}
		if after, ok = c.parseID(r.ids[i], 0); !ok {
			return out, 0, false
		}
		if g != nil {
			g.consumers[r.consumer] = true
			return st.history(out, g, r, after), 0, true
		}
	}
	if st == nil || after.Compare(st.last) >= 0 {
		return out, -1, true
	}
	start := len(out)
	out, n, last := st.appendRange(out, next(after), maxID, false, r.count)
	if n == 0 {
		return out, -1, true
	}
	if g != nil {
		g.deliver(st, r, last)
	}
	var header [16]byte
	return slices.Insert(out, start, appendHeader(header[:0], '*', int(n))...), n, true
}

// deliver moves the group's cursor to the last entry that a consumer gets.
func (g *group) deliver(st *stream, r reading, last event.ID) {
	g.consumers[r.consumer] = true
	if !r.noAck {
		for n, i := st.seek(next(g.last)); n < len(st.nodes); n, i = n+1, 0 {
			for ; i < len(st.nodes[n].ids) && st.nodes[n].ids[i].Compare(last) <= 0; i++ {
				g.pending[st.nodes[n].ids[i]] = r.consumer
			}
		}
	}
	g.last = last
}

// history is what a consumer has been delivered after an ID and not acknowledged.
func (st *stream) history(out []byte, g *group, r reading, after event.ID) []byte {
	ids := g.pendingIDs()
	ids = slices.DeleteFunc(ids, func(id event.ID) bool { return g.pending[id] != r.consumer || id.Compare(after) <= 0 })
	ids = ids[:min(int64(len(ids)), r.count)]
	out = appendHeader(out, '*', len(ids))
	for _, id := range ids {
		var n int64
		if out, n, _ = st.appendRange(out, id, id, false, 1); n == 0 { // deleted since
			out = append(appendID(append(out, "*2\r\n"...), id), "*-1\r\n"...)
		}
	}
	return out
}

func (g *group) pendingIDs() []event.ID {
	return slices.SortedFunc(maps.Keys(g.pending), event.ID.Compare)
}

func (s *Server) xack(c *call) {
	st, ok := s.lookup(c, c.args[1])
	if !ok {
		return
	}
	g := st.group(c.args[2])
	if g == nil {
		c.integer(0)
		return
	}
	ids, ok := c.parseIDs(c.args[3:])
	if !ok {
		return
	}
	acked := int64(0)
	for _, id := range ids {
		if _, pending := g.pending[id]; pending {
			delete(g.pending, id)
			acked++
		}
	}
	c.integer(acked)
}

// xpending is the summary: XPENDING with a key and a group.
func (s *Server) xpending(c *call) {
	if len(c.args) != 3 {
		c.fail(unsupported("xpending with a range"))
		return
	}
	st, ok := s.lookup(c, c.args[1])
	if !ok {
		return
	}
	g := st.group(c.args[2])
	if g == nil {
		c.fail(fmt.Sprintf("NOGROUP No such key '%s' or consumer group '%s'", c.args[1], c.args[2]))
		return
	}
	c.array(4)
	c.integer(int64(len(g.pending)))
	if len(g.pending) == 0 {
		c.null()
		c.null()
		c.nullArray()
		return
	}
	ids, counts := g.pendingIDs(), map[string]int{}
	for _, consumer := range g.pending {
		counts[consumer]++
	}
	c.id(ids[0])
	c.id(ids[len(ids)-1])
	c.array(len(counts))
	for _, consumer := range slices.Sorted(maps.Keys(counts)) {
		c.array(2)
		c.bulk(consumer)
		c.bulk(fmt.Sprint(counts[consumer]))
	}
}
