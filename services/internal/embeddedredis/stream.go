package embeddedredis

import (
	"slices"
	"sort"
	"strconv"

	"github.com/estela-dev/estela/services/internal/event"
)

const (
	// nodeBytes is how much a node holds, unless its only entry is larger.
	nodeBytes = 64 << 10
	// indexBytes is what an entry takes in a node beside its fields.
	indexBytes = 24
)

// node is a run of entries of a stream.
type node struct {
	ids []event.ID
	// data has the fields of each entry as an array of RESP, which ends at ends.
	data []byte
	ends []int
}

func (n *node) last() event.ID { return n.ids[len(n.ids)-1] }

func (n *node) bytes() int { return len(n.data) + indexBytes*len(n.ids) }

func (n *node) start(i int) int {
	if i == 0 {
		return 0
	}
	return n.ends[i-1]
}

// appendEntry appends the ith entry as RESP.
func (n *node) appendEntry(out []byte, i int) []byte {
	out = append(out, "*2\r\n"...)
	out = appendID(out, n.ids[i])
	return append(out, n.data[n.start(i):n.ends[i]]...)
}

// remove removes the entries from i up to j, and returns how many bytes they had.
func (n *node) remove(i, j int) int {
	before, from, to := n.bytes(), n.start(i), n.start(j)
	n.data = slices.Delete(n.data, from, to)
	n.ids = slices.Delete(n.ids, i, j)
	n.ends = slices.Delete(n.ends, i, j)
	for k := i; k < len(n.ends); k++ {
		n.ends[k] -= to - from
	}
	return before - n.bytes()
}

// stream is a list of entries, oldest first, and the groups that read it.
type stream struct {
	nodes            []*node // none is empty
	length, added    int64
	last, maxDeleted event.ID
	groups           map[string]*group
	bytes            int
	// seen is Server.changes when the stream's name was looked up last.
	seen uint64
}

// group is a consumer group.
type group struct {
	last      event.ID
	consumers map[string]bool
	// pending has the consumer of each entry that was delivered and not acknowledged.
	pending map[event.ID]string
}

func (st *stream) add(id event.ID, fields []string) {
	size := 0
	for _, f := range fields {
		size += len(f) + len("$1000000\r\n\r\n")
	}
	var n *node
	if len(st.nodes) > 0 {
		n = st.nodes[len(st.nodes)-1]
	}
	switch {
	case n == nil: // most streams are short
		n = &node{}
		st.nodes = append(st.nodes, n)
	case len(n.data)+size > nodeBytes:
		n = &node{data: make([]byte, 0, max(size, nodeBytes))}
		st.nodes = append(st.nodes, n)
	}
	before := n.bytes()
	n.ids = append(n.ids, id)
	n.data = appendHeader(n.data, '*', len(fields))
	for _, f := range fields {
		n.data = appendBulk(n.data, f)
	}
	n.ends = append(n.ends, len(n.data))
	st.bytes += n.bytes() - before
	st.last = id
	st.length++
	st.added++
}

// seek returns the place of the first entry at or above the ID: a node and an entry in it.
func (st *stream) seek(id event.ID) (n, i int) {
	n = sort.Search(len(st.nodes), func(n int) bool { return st.nodes[n].last().Compare(id) >= 0 })
	if n < len(st.nodes) {
		i, _ = slices.BinarySearchFunc(st.nodes[n].ids, id, event.ID.Compare)
	}
	return n, i
}

func (st *stream) has(id event.ID) bool {
	n, i := st.seek(id)
	return n < len(st.nodes) && st.nodes[n].ids[i] == id
}

// first is the oldest ID, zero if there is none.
func (st *stream) first() event.ID {
	if len(st.nodes) == 0 {
		return event.ID{}
	}
	return st.nodes[0].ids[0]
}

// trim removes at most limit of the oldest entries, as long as they are doomed: whole nodes, and the beginning of one.
func (st *stream) trim(doomed func(event.ID) bool, limit int64) int64 {
	removed, whole := int64(0), 0
	for _, n := range st.nodes {
		if !doomed(n.last()) || removed+int64(len(n.ids)) > limit {
			break
		}
		removed += int64(len(n.ids))
		st.bytes -= n.bytes()
		whole++
	}
	st.nodes = slices.Delete(st.nodes, 0, whole)
	if len(st.nodes) > 0 {
		n := st.nodes[0]
		i := sort.Search(len(n.ids), func(i int) bool { return !doomed(n.ids[i]) })
		i = int(min(int64(i), limit-removed))
		st.bytes -= n.remove(0, i)
		removed += int64(i)
	}
	st.length -= removed
	return removed
}

// delete removes one entry, if it is there.
func (st *stream) delete(id event.ID) bool {
	if !st.has(id) {
		return false
	}
	n, i := st.seek(id)
	st.bytes -= st.nodes[n].remove(i, i+1)
	if len(st.nodes[n].ids) == 0 {
		st.nodes = slices.Delete(st.nodes, n, n+1)
	}
	st.length--
	st.maxDeleted = event.Later(st.maxDeleted, id)
	return true
}

// appendRange appends at most count entries between two IDs, both included, as RESP, and returns how many
// and the ID of the last one.
func (st *stream) appendRange(out []byte, from, to event.ID, reverse bool, count int64) ([]byte, int64, event.ID) {
	appended, at := int64(0), event.ID{}
	take := func(n *node, i int) bool {
		if appended == count || n.ids[i].Compare(from) < 0 || n.ids[i].Compare(to) > 0 {
			return false
		}
		out, at = n.appendEntry(out, i), n.ids[i]
		appended++
		return true
	}
	if !reverse {
		for n, i := st.seek(from); n < len(st.nodes); n, i = n+1, 0 {
			for ; i < len(st.nodes[n].ids); i++ {
				if !take(st.nodes[n], i) {
					return out, appended, at
				}
			}
		}
		return out, appended, at
	}
	n, i := st.seek(to)
	if n < len(st.nodes) && st.nodes[n].ids[i] == to {
		i++
	}
	for {
		for i--; i >= 0; i-- {
			if !take(st.nodes[n], i) {
				return out, appended, at
			}
		}
		if n--; n < 0 {
			return out, appended, at
		}
		i = len(st.nodes[n].ids)
	}
}

func appendHeader(out []byte, kind byte, n int) []byte {
	return append(strconv.AppendInt(append(out, kind), int64(n), 10), '\r', '\n')
}

func appendBulk(out []byte, s string) []byte {
	return append(append(appendHeader(out, '$', len(s)), s...), '\r', '\n')
}

func appendID(out []byte, id event.ID) []byte {
	var space [41]byte // two uint64 and a hyphen
	text := strconv.AppendUint(space[:0], id.MS, 10)
	text = strconv.AppendUint(append(text, '-'), id.Seq, 10)
	return append(append(appendHeader(out, '$', len(text)), text...), '\r', '\n')
}
