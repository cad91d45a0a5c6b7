package inference

import (
	"bytes"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"github.com/zeebo/xxh3"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/jsontext"
)

const (
	// MaxColumns is how many columns a file may have. A document with other names in each row has
	// values for names, and no columns.
	MaxColumns = 4096
	// maxValues is how many different values of a column are remembered.
	maxValues = 64
	// maxWord is the length of a value, in characters, beyond which it is none of a list.
	maxWord = 60
)

// TooManyColumnsError is the error of a row that makes them more than MaxColumns.
type TooManyColumnsError struct{ Name string }

func (e *TooManyColumnsError) Error() string {
	return fmt.Sprintf("has more than %d columns, the last one %.60q: if the names of its properties are values, such as IDs, write them as values", MaxColumns, e.Name)
}

// Profile is what the rows of a file have in common. It belongs to one goroutine.
type Profile struct {
	texts   bool
	rows    int64
	columns []*stats
	index   map[string]int
	row     []uint64 // the hashes of the row at hand, 0 where it has no value
	unique  []int    // the columns whose values have all differed so far
	window  window   // rows in which keys are searched
	buffer  []byte
}

// New begins a profile. texts: the file has no types, so that a text may stand for any value.
func New(texts bool) *Profile { return &Profile{texts: texts, index: map[string]int{}} }

// stats is what is known of one column.
type stats struct {
	name    string
	values  int64 // neither absent nor null
	nulls   bool  // some are null
	types   types
	alive   kinds  // what all of the texts can be
	wide    bool   // a number of JSON is an integer of more than 64 bits
	point   bool   // a text is a number with a point that does not stand between thousands
	clock   bool   // a date with slashes has a time
	missing int64  // texts that mean no value
	marks   uint16 // which of missingWords they are
	// separators of dates, and whether numbers are grouped by thousands.
	separators [len(dateSeparators)]bool
	low, high  float64
	bytes      int64   // of all values
	words      *words  // the different values, as they stand in the document; nil if there are many
	first      string  // a value
	seen       *hashes // of all values; nil if one came twice
}

// dateSeparators are what stands between day, month and year.
const dateSeparators = "/.-"

// types is a set of what JSON has for values.
type types uint8

const (
	isText types = 1 << iota
	isInteger
	isFraction
	isBoolean
	isObject
	isArray
)

// Declare names columns before the first row, in the file's order: one that has no value in any row
// is a column too.
func (p *Profile) Declare(names []string) error {
	for i, name := range names {
		if _, err := p.column(i, []byte(name)); err != nil {
			return err
		}
	}
	return nil
}

// Add takes a row: the members of its document. A null is absent, and so is an empty text in a
// file without types. It fails with a TooManyColumnsError.
func (p *Profile) Add(members []contract.Member) error {
	p.rows++
	clear(p.row)
	for i, m := range members {
		at, err := p.column(i, m.Name)
		if err != nil {
			return err
		}
		s := p.columns[at]
		if m.Value[0] == 'n' {
			s.nulls = true
			continue
		}
		if p.texts && string(m.Value) == `""` {
			continue
		}
		p.row[at] = xxh3.Hash(m.Value) | 1
		p.add(s, m.Value, p.row[at])
	}
	p.verify()
	p.window.add(p.rows-1, p.row)
	return nil
}

// column is the index of the column of that name, which is mostly where it was in the row
// before.
func (p *Profile) column(i int, name []byte) (int, error) {
	if i < len(p.columns) && p.columns[i].name == string(name) {
		return i, nil
	}
	if at, ok := p.index[string(name)]; ok {
		return at, nil
	}
	at := len(p.columns)
	if at == MaxColumns {
		return 0, &TooManyColumnsError{string(name)}
	}
	s := &stats{name: string(name), alive: anyText, low: math.Inf(1), high: math.Inf(-1), words: &words{}}
	p.index[s.name] = at
	p.columns, p.row = append(p.columns, s), append(p.row, 0)
	if p.rows <= 1 {
		s.seen = &hashes{}
		p.unique = append(p.unique, at)
	}
	return at, nil
}

// verify keeps the columns that have a value in each row, and none twice.
func (p *Profile) verify() {
	kept := p.unique[:0]
	for _, c := range p.unique {
		s := p.columns[c]
		if p.row[c] != 0 && s.types&^(isText|isInteger) == 0 && s.missing == 0 && s.seen.add(p.row[c], maxHashes/len(p.unique)) {
			kept = append(kept, c)
		} else {
			s.seen = nil
		}
	}
	p.unique = kept
}

func (p *Profile) add(s *stats, raw []byte, hash uint64) {
	s.values++
	s.bytes += int64(len(raw))
	switch c := raw[0]; {
	case c == '"':
		s.types |= isText
		if s.alive != 0 {
			text := raw[1 : len(raw)-1]
			if bytes.IndexByte(text, '\\') >= 0 {
				text, p.buffer, _ = jsontext.Plain(p.buffer[:0], text, false, true)
			}
			s.text(text, p.texts)
		}
	case c == '{':
		s.types |= isObject
	case c == '[':
		s.types |= isArray
	case c == 't' || c == 'f':
		s.types |= isBoolean
	case bytes.ContainsAny(raw, ".eE"):
		s.types |= isFraction
		s.number(raw)
	default:
		s.types |= isInteger
		s.number(raw)
		_, err := strconv.ParseInt(unsafe.String(unsafe.SliceData(raw), len(raw)), 10, 64)
		s.wide = s.wide || err != nil
	}
	if s.types&(isObject|isArray) != 0 {
		s.words = nil
	}
	if s.first == "" && s.missing < s.values {
		s.first = string(raw)
	}
	if s.words != nil && !s.words.add(raw, hash, p.rows) {
		s.words = nil
	}
}

// text narrows what the texts can be.
func (s *stats) text(text []byte, untyped bool) {
	if untyped {
		if word := isMissing(text); word >= 0 {
			s.missing++
			s.marks |= 1 << word
			return
		}
	}
	s.alive = textKinds(s.alive, text)
	switch {
	case s.alive&(integer|number) != 0:
		s.number(text)
		s.point = s.point || bytes.IndexByte(text, '.') >= 0 && !isGrouped(bytes.TrimPrefix(text, []byte("-")), '.')
	case s.alive&slashes != 0:
		_, _, _, separator := slashed(text[:min(len(text), len("31/01/2026"))])
		if at := bytes.IndexByte(text, ' '); at > 0 {
			_, _, _, separator = slashed(text[:at])
			s.clock = true
		}
		for i, c := range []byte(dateSeparators) {
			s.separators[i] = s.separators[i] || c == separator
		}
	}
}

// number extends the bounds of the numbers.
func (s *stats) number(raw []byte) {
	x, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(raw), len(raw)), 64)
	if err != nil {
		return
	}
	s.low, s.high = min(s.low, x), max(s.high, x)
}

// words are different values, found by their hashes.
type words struct {
	table [2 * maxValues]uint64
	texts []string
	last  int64 // the row of the last new one
}

// count is how many there are, 0 if w is nil.
func (w *words) count() int {
	if w == nil {
		return 0
	}
	return len(w.texts)
}

// add adds a value of the row. It reports false if it is too long, or there are too many.
func (w *words) add(raw []byte, hash uint64, row int64) bool {
	at := hash >> 7 % uint64(len(w.table))
	for ; w.table[at] != 0; at = (at + 1) % uint64(len(w.table)) {
		if w.table[at] == hash {
			return true
		}
	}
	if len(w.texts) == maxValues || utf8.RuneCount(raw) > maxWord {
		return false
	}
	w.table[at], w.last = hash, row
	w.texts = append(w.texts, string(raw))
	return true
}
