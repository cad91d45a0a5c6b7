package embeddedredis

import (
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/event"
)

// command is a command of this package's own. Its fewest arguments include its name.
type command struct {
	run    func(*Server, *call)
	fewest int
	// grows: it is refused above MaxMemory.
	grows bool
}

var commands = map[string]command{
	"XADD":       {(*Server).xadd, 5, true},
	"XTRIM":      {(*Server).xtrim, 4, false},
	"XDEL":       {(*Server).xdel, 3, false},
	"XLEN":       {(*Server).xlen, 2, false},
	"XRANGE":     {(*Server).xrange, 4, false},
	"XREVRANGE":  {(*Server).xrange, 4, false},
	"XSETID":     {(*Server).xsetid, 3, false},
	"XINFO":      {(*Server).xinfo, 3, false},
	"XGROUP":     {(*Server).xgroup, 4, false},
	"XREAD":      {(*Server).xread, 4, false},
	"XREADGROUP": {(*Server).xread, 7, false},
	"XACK":       {(*Server).xack, 4, false},
	"XPENDING":   {(*Server).xpending, 3, false},
	"INFO":       {(*Server).info, 1, false},
	"SELECT":     {(*Server).selectDB, 2, false},
	"TIME":       {(*Server).time, 1, false},
}

// trimming is how XADD and XTRIM trim.
type trimming struct {
	asked, approximate, limited, noStream bool
	maxLen, limit                         int64
	minID                                 event.ID
}

// parseTrimming parses the options of XADD and XTRIM from the second argument on, and returns the place of
// the first argument that is none.
func (c *call) parseTrimming() (t trimming, at int, ok bool) {
	t.maxLen = -1
	for at = 2; at < len(c.args); at++ {
		more := at+1 < len(c.args)
		switch option := strings.ToLower(c.args[at]); {
		case more && (option == "maxlen" || option == "minid"):
			if t.asked {
				c.fail("ERR syntax error, MAXLEN and MINID options at the same time are not compatible")
				return t, at, false
			}
			t.asked = true
			if at++; at+1 < len(c.args) && (c.args[at] == "~" || c.args[at] == "=") {
				t.approximate = c.args[at] == "~"
				at++
			}
			if ok = c.parseThreshold(&t, option, c.args[at]); !ok {
				return t, at, false
			}
		case more && option == "limit":
			t.limited = true
			at++
			if t.limit, ok = c.parseInt(c.args[at]); !ok {
				return t, at, false
			}
			if t.limit < 0 {
				c.fail("ERR The LIMIT argument must be >= 0.")
				return t, at, false
			}
		case option == "nomkstream" && c.name() == "XADD":
			t.noStream = true
		default:
			return t, at, c.checkTrimming(&t)
		}
	}
	return t, at, c.checkTrimming(&t)
}

func (c *call) parseThreshold(t *trimming, option, text string) (ok bool) {
	if option == "minid" {
		t.minID, ok = c.parseID(text, 0)
		return ok
	}
	if t.maxLen, ok = c.parseInt(text); ok && t.maxLen < 0 {
		c.fail("ERR The MAXLEN argument must be >= 0.")
		return false
	}
	return ok
}

func (c *call) checkTrimming(t *trimming) bool {
	if t.limited && !t.approximate {
		c.fail("ERR syntax error, LIMIT cannot be used without the special ~ option")
		return false
	}
	if t.limit == 0 {
		t.limit = math.MaxInt64
	}
	return true
}

// trim trims exactly, where ~ would allow to keep more.
func (s *Server) trim(st *stream, t trimming) (removed int64) {
	s.account(st, func() {
		if t.maxLen >= 0 {
			removed = st.trim(func(event.ID) bool { return true }, max(min(st.length-t.maxLen, t.limit), 0))
		} else if t.asked {
			removed = st.trim(func(id event.ID) bool { return id.Compare(t.minID) < 0 }, t.limit)
		}
	})
	return removed
}

func (s *Server) xadd(c *call) {
	t, at, ok := c.parseTrimming()
	if !ok {
		return
	}
	if at >= len(c.args) || (len(c.args)-at-1)%2 != 0 || len(c.args)-at < 3 {
		c.wrongNumber()
		return
	}
	given := c.args[at]
	var id event.ID
	prefix, partial := strings.CutSuffix(given, "-*")
	if given != "*" {
		if id, ok = c.parseID(prefix, 0); !ok {
			return
		}
		if id.IsZero() && !partial {
			c.fail("ERR The ID specified in XADD must be greater than 0-0")
			return
		}
	}
	st, ok := s.lookup(c, c.args[1])
	if !ok {
		return
	}
	if st == nil && t.noStream {
		c.null()
		return
	}
	if st == nil {
		st = s.create(c, c.args[1])
	}
	if st.last == maxID {
		c.fail("ERR The stream has exhausted the last possible ID, unable to add more items")
		return
	}
	switch {
	case given == "*":
		id = event.Later(event.ID{MS: uint64(max(time.Now().UnixMilli(), 0))}, next(st.last))
	case partial && id.MS == st.last.MS && st.last.Seq < math.MaxUint64:
		id = next(st.last)
	}
	if id.Compare(st.last) <= 0 {
		c.fail("ERR The ID specified in XADD is equal or smaller than the target stream top item")
		return
	}
	s.account(st, func() { st.add(id, c.args[at+1:]) })
	s.trim(st, t)
	s.notify = true
	c.id(id)
}

func (s *Server) xtrim(c *call) {
	t, at, ok := c.parseTrimming()
	if !ok {
		return
	}
	if at < len(c.args) {
		c.fail(errSyntax)
		return
	}
	if !t.asked {
		c.fail("ERR syntax error, XTRIM must be called with a trimming strategy")
		return
	}
	st, ok := s.lookup(c, c.args[1])
	if !ok {
		return
	}
	if st == nil {
		c.integer(0)
		return
	}
	c.integer(s.trim(st, t))
}

func (s *Server) xdel(c *call) {
	st, ok := s.lookup(c, c.args[1])
	if !ok {
		return
	}
	if st == nil {
		c.integer(0)
		return
	}
	ids, ok := c.parseIDs(c.args[2:])
	if !ok {
		return
	}
	deleted := int64(0)
	s.account(st, func() {
		for _, id := range ids {
			if st.delete(id) {
				deleted++
			}
		}
	})
	c.integer(deleted)
}

func (c *call) parseIDs(texts []string) (ids []event.ID, ok bool) {
	for _, text := range texts {
		id, ok := c.parseID(text, 0)
		if !ok {
			return nil, false
		}
		ids = append(ids, id)
	}
	return ids, true
}

func (s *Server) xlen(c *call) {
	st, ok := s.lookup(c, c.args[1])
	if !ok {
		return
	}
	if st == nil {
		st = &stream{}
	}
	c.integer(st.length)
}

// xrange is XRANGE and XREVRANGE.
func (s *Server) xrange(c *call) {
	reverse := c.name() == "XREVRANGE"
	first, last := c.args[2], c.args[3]
	if reverse {
		first, last = last, first
	}
	from, ok := c.parseBound(first, false)
	if !ok {
		return
	}
	to, ok := c.parseBound(last, true)
	if !ok {
		return
	}
	count := int64(-1)
	switch {
	case len(c.args) == 6 && c.is(4, "COUNT"):
		if count, ok = c.parseInt(c.args[5]); !ok {
			return
		}
		count = max(count, 0)
	case len(c.args) != 4:
		c.fail(errSyntax)
		return
	}
	st, ok := s.lookup(c, c.args[1])
	switch {
	case !ok:
	case st == nil:
		c.array(0)
	case count == 0:
		c.nullArray()
	default:
		entries, n, _ := st.appendRange(s.scratch[:0], from, to, reverse, count)
		c.array(int(n))
		c.out = append(c.out, entries...)
		s.keepScratch(entries)
	}
}

func (s *Server) xsetid(c *call) {
	if len(c.args) != 3 {
		c.fail(errSyntax)
		return
	}
	id, ok := c.parseID(c.args[2], 0)
	if !ok {
		return
	}
	st, ok := s.lookup(c, c.args[1])
	switch {
	case !ok:
	case st == nil:
		c.fail(errNoKey)
	case st.length > 0 && id.Compare(st.nodes[len(st.nodes)-1].last()) < 0:
		c.fail("ERR The ID specified in XSETID is smaller than the target stream top item")
	default:
		st.last = id
		c.ok()
	}
}

func (s *Server) xinfo(c *call) {
	if len(c.args) != 3 {
		c.fail(errSyntax)
		return
	}
	st, ok := s.lookup(c, c.args[2])
	switch {
	case !ok:
	case st == nil:
		c.fail(errNoKey)
	case c.is(1, "STREAM"):
		st.describe(c)
	case c.is(1, "GROUPS"):
		c.array(len(st.groups))
		for _, name := range slices.Sorted(maps.Keys(st.groups)) {
			g := st.groups[name]
			c.dict(4)
			c.bulk("name")
			c.bulk(name)
			c.bulk("consumers")
			c.integer(int64(len(g.consumers)))
			c.bulk("pending")
			c.integer(int64(len(g.pending)))
			c.bulk("last-delivered-id")
			c.id(g.last)
		}
	default:
		c.fail(unsupported("xinfo|" + strings.ToLower(c.args[1])))
	}
}

func (st *stream) describe(c *call) {
	c.dict(8)
	c.bulk("length")
	c.integer(st.length)
	c.bulk("last-generated-id")
	c.id(st.last)
	c.bulk("max-deleted-entry-id")
	c.id(st.maxDeleted)
	c.bulk("entries-added")
	c.integer(st.added)
	c.bulk("recorded-first-entry-id")
	c.id(st.first())
	c.bulk("groups")
	c.integer(int64(len(st.groups)))
	for _, end := range []string{"first-entry", "last-entry"} {
		c.bulk(end)
		if st.length == 0 {
			c.null()
			continue
		}
		c.out, _, _ = st.appendRange(c.out, event.ID{}, maxID, end == "last-entry", 1)
	}
}
