package contract

import (
	"math"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/automaton"
	"github.com/estela-dev/estela/services/internal/decimal"
)

// kinds is a set of JSON types.
type kinds uint8

const (
	kindNull kinds = 1 << iota
	kindBoolean
	kindInteger
	kindNumber
	kindString
	kindObject
	kindArray

	kindAny = kinds(0) // no type was named: every one will do
)

var kindNames = []struct {
	kind kinds
	name string
}{
	{kindObject, "object"},
	{kindArray, "array"},
	{kindString, "string"},
	{kindNumber, "number"},
	{kindInteger, "integer"},
	{kindBoolean, "boolean"},
	{kindNull, "null"},
}

func (k kinds) String() string {
	var names []string
	for _, each := range kindNames {
		if k&each.kind != 0 {
			names = append(names, each.name)
		}
	}
	return strings.Join(names, " or ")
}

// format is an asserted format of strings.
type format uint8

const (
	formatNone format = iota
	formatDateTime
	formatDate
	formatUUID
)

var formatNames = map[string]format{"date-time": formatDateTime, "date": formatDate, "uuid": formatUUID}

func (f format) String() string {
	return [...]string{"", "date-time", "date", "uuid"}[f]
}

// schema is a compiled JSON Schema of the supported subset. The pointers among
// its fields are nil where the keyword is absent.
type schema struct {
	kinds              kinds
	title, description string
	unit               string // of what x-estela says about a property
	examples           []node
	aliases            []string // of a property of the root

	// Of objects.
	properties []property     // in the order of the file
	index      map[string]int // of properties, by name; of the root's, by alias too
	required   []int          // of properties
	closed     bool           // additionalProperties is false

	// Of arrays.
	items *schema

	// Of strings. Lengths count code points.
	minLength, maxLength *int
	pattern              *automaton.Pattern
	format               format

	// Of numbers.
	minimum, maximum, above, below *decimal.Decimal
	multipleOf                     *decimal.Decimal
	divisor                        decimal.Divisor

	enum     []constant
	constant *constant
}

type property struct {
	name     string
	schema   *schema
	required bool
}

// constant is a value of enum or const. Its form is the text of a string, else
// what canonical makes of it; the kind distinguishes the two.
type constant struct {
	kind kinds
	raw  string // as the file has it
	form string
}

func (k *constant) equals(kind kinds, form []byte) bool {
	return (k.kind == kindString) == (kind == kindString) && k.form == string(form)
}

// takesNull reports whether null is valid.
func (s *schema) takesNull() bool {
	null := func(c constant) bool { return c.kind == kindNull }
	if s.kinds != kindAny && s.kinds&kindNull == 0 {
		return false
	}
	if s.constant != nil && !null(*s.constant) {
		return false
	}
	return s.enum == nil || slices.ContainsFunc(s.enum, null)
}

// kind is the one type beside null, kindAny if none was named.
func (s *schema) kind() kinds { return s.kinds &^ kindNull }

// integers are the bounds of an integer, the widest that 64 bits hold where the
// contract names none. They are empty, low above high, if no integer is within.
func (s *schema) integers() (low, high int64) {
	low, high = math.MinInt64, math.MaxInt64
	empty := false
	raise := func(n int64, out int, step int64) {
		empty = empty || out > 0 || step > 0 && n == math.MaxInt64
		if out == 0 && !empty {
			low = max(low, n+step)
		}
	}
	lower := func(n int64, out int, step int64) {
		empty = empty || out < 0 || step > 0 && n == math.MinInt64
		if out == 0 && !empty {
			high = min(high, n-step)
		}
	}
	if s.minimum != nil {
		n, out := s.minimum.Ceil()
		raise(n, out, 0)
	}
	if s.above != nil {
		n, out := s.above.Floor()
		raise(n, out, 1)
	}
	if s.maximum != nil {
		n, out := s.maximum.Floor()
		lower(n, out, 0)
	}
	if s.below != nil {
		n, out := s.below.Ceil()
		lower(n, out, 1)
	}
	if empty {
		return 1, 0
	}
	return low, high
}
