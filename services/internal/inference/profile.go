package inference

import (
	"bytes"
	"math"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"github.com/zeebo/xxh3"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/jsontext"
)

// maxValues is how many different values of a column are remembered, each with its count.
const maxValues = 64

// Profile is what the rows of a file have in common. It belongs to one goroutine.
type Profile struct {
	texts   bool
	rows    int64
	columns []*stats
	index   map[string]int
	row     []uint64 // the hashes of the row at hand, 0 where it has no value
	keys    keySearch
	buffer  []byte
}

// New begins a profile. texts: the file has no types, so that a text may stand for any value.
func New(texts bool) *Profile { return &Profile{texts: texts, index: map[string]int{}} }

// stats is what is known of one column.
type stats struct {
	name   string
	values int64 // neither absent nor null
	types  types
	alive  kinds // what all of the texts can be
	digits int   // the most of a number
	low    float64
	high   float64
	counts map[string]int64 // of each value, as it stands in the document; nil if there are many
	first  string           // a value
}

// types is a set of what JSON has for values.
type types uint8

const (
	isText types = 1 << iota
	isInteger
	isFraction
	isBoolean
	isNested
)

// Add takes a row: the members of its document. A null is absent, and so is an empty text in a
// file without types.
func (p *Profile) Add(members []contract.Member) {
	p.rows++
	clear(p.row)
	for i, m := range members {
		at := p.column(i, m.Name)
		if m.Value[0] == 'n' || p.texts && string(m.Value) == `""` {
			continue
		}
		p.row[at] = xxh3.Hash(m.Value) | 1
		p.add(p.columns[at], m.Value)
	}
	p.keys.add(p.row)
}

// column is the index of the column of that name, which is mostly where it was in the row
// before.
func (p *Profile) column(i int, name []byte) int {
	if i < len(p.columns) && p.columns[i].name == string(name) {
		return i
	}
	at, ok := p.index[string(name)]
	if !ok {
		at = len(p.columns)
		p.index[string(name)] = at
		p.columns = append(p.columns, &stats{
			name: string(name), alive: anyText, low: math.Inf(1), high: math.Inf(-1), counts: map[string]int64{},
		})
		p.row = append(p.row, 0)
	}
	return at
}

func (p *Profile) add(s *stats, raw []byte) {
	if s.values++; s.values == 1 {
		s.first = string(raw)
	}
	switch c := raw[0]; {
	case c == '"':
		s.types |= isText
		if s.alive != 0 || s.counts != nil {
			p.buffer = p.buffer[:0]
			end, ascii, escaped, _ := jsontext.End(raw, 1)
			text, buffer, _ := jsontext.Plain(p.buffer, raw[1:end], ascii, escaped)
			p.buffer = buffer
			s.text(text)
		}
	case c == '{' || c == '[':
		s.types |= isNested
		s.counts = nil
		return
	case c == 't' || c == 'f':
		s.types |= isBoolean
	case bytes.ContainsAny(raw, ".eE"):
		s.types |= isFraction
		s.number(raw)
	default:
		s.types |= isInteger
		s.number(raw)
	}
	s.count(raw)
}

// text narrows what the texts can be.
func (s *stats) text(text []byte) {
	if s.alive == 0 {
		return
	}
	if s.alive = textKinds(s.alive, text); s.alive&(integer|number) != 0 {
		s.number(text)
	}
}

// number extends the bounds of the numbers.
func (s *stats) number(raw []byte) {
	x, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(raw), len(raw)), 64)
	if err != nil {
		return
	}
	s.low, s.high = min(s.low, x), max(s.high, x)
	s.digits = max(s.digits, len(bytes.Trim(raw, "-+.eE")))
}

// count counts the value, while there are few.
func (s *stats) count(raw []byte) {
	if s.counts == nil {
		return
	}
	if n, ok := s.counts[string(raw)]; ok || len(s.counts) < maxValues && utf8.RuneCount(raw) <= maxWord {
		s.counts[string(raw)] = n + 1
	} else {
		s.counts = nil
	}
}

// maxWord is the length beyond which a text is none of a list.
const maxWord = 60
