package contract

import (
	"math"

	"github.com/estela-dev/estela/services/internal/automaton"
	"github.com/estela-dev/estela/services/internal/decimal"
)

// reading is how the fast path reads a property.
type reading uint8

const (
	readAny reading = iota // through the checker
	readText
	readInstant
	readDate
	readUUID
	readInteger
	readDouble
	readBoolean
)

// field is a property prepared for the fast path.
type field struct {
	quoted   string // the name and the colon as a document has them, mostly
	schema   *schema
	reading  reading
	nullable bool

	// Of readText.
	minLength, maxLength int
	measured, free       bool // there are lengths; there is nothing to check
	pattern              *automaton.Pattern
	words                []string // enum or const; nil: neither

	// Of readInteger.
	low, high int64
	step      int64 // multipleOf; 0 is none

	// Of readDouble: it takes what is surely within, and the checker the rest.
	above, below float64
}

func newField(p property) field {
	s := p.schema
	f := field{quoted: `"` + p.name + `":`, schema: s, nullable: s.takesNull(), maxLength: math.MaxInt}
	switch s.kind() {
	case kindString:
		f.ofString(s)
	case kindInteger:
		f.ofInteger(s)
	case kindNumber:
		f.ofNumber(s)
	case kindBoolean:
		if s.enum == nil && s.constant == nil {
			f.reading = readBoolean
		}
	default:
	}
	return f
}

func (f *field) ofString(s *schema) {
	bare := s.minLength == nil && s.maxLength == nil && s.pattern == nil && s.enum == nil && s.constant == nil
	if s.format != formatNone {
		if bare {
			f.reading = [...]reading{
				formatDateTime: readInstant, formatDate: readDate, formatUUID: readUUID,
			}[s.format]
		}
		return
	}
	f.reading, f.pattern = readText, s.pattern
	if s.minLength != nil {
		f.minLength, f.measured = *s.minLength, true
	}
	if s.maxLength != nil {
		f.maxLength, f.measured = *s.maxLength, true
	}
	if s.enum != nil || s.constant != nil {
		f.words = []string{}
	}
	f.free = bare
	for _, k := range s.enum {
		f.word(s, k)
	}
	if s.enum == nil && s.constant != nil {
		f.word(s, *s.constant)
	}
}

// word adds a string of enum or const; const narrows enum.
func (f *field) word(s *schema, k constant) {
	if k.kind != kindString {
		return
	}
	if s.constant == nil || s.constant.equals(k.kind, []byte(k.form)) {
		f.words = append(f.words, k.form)
	}
}

func (f *field) ofInteger(s *schema) {
	if s.enum != nil || s.constant != nil {
		return
	}
	f.low, f.high = s.integers()
	if s.multipleOf != nil {
		step, ok := s.multipleOf.Int64()
		if !ok {
			return
		}
		f.step = step
	}
	f.reading = readInteger
}

func (f *field) ofNumber(s *schema) {
	if s.enum != nil || s.constant != nil || s.multipleOf != nil {
		return
	}
	f.reading, f.above, f.below = readDouble, math.Inf(-1), math.Inf(1)
	for _, d := range []*decimal.Decimal{s.minimum, s.above} {
		if d != nil {
			f.above = max(f.above, d.Float())
		}
	}
	for _, d := range []*decimal.Decimal{s.maximum, s.below} {
		if d != nil {
			f.below = min(f.below, d.Float())
		}
	}
}
