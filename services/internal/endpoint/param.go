package endpoint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
)

// Param is one query parameter of an endpoint.
type Param struct {
	Name string
	// Type is string, integer, number, boolean, date, date-time or uuid.
	Type     string
	Required bool
	// Default is the value of an absent parameter, of the Go type that Value returns; nil is
	// NULL.
	Default any
	// Enum are the allowed values; empty: any.
	Enum []string
	// Pattern must match a string, anywhere in it unless it is anchored.
	Pattern *regexp.Regexp
	// Minimum and Maximum bound an integer (int64) or number (float64),
	// inclusive; nil: unbounded.
	Minimum, Maximum any
	// Example is a value for the documentation and for Checker.Try, of the Go type that Value
	// returns; nil: use the default.
	Example     any
	Description string
}

// keyPrefix begins the names under which a cursor's values are bound; no parameter's name may
// begin with it.
const keyPrefix = "cursor_"

// Value parses and validates the text of a parameter: string, int64, float64, bool or time.Time
// (UTC). Its error says what was expected.
func (p Param) Value(text string) (any, error) {
	value, err := p.parse(text)
	if err != nil {
		return nil, err
	}
	if len(p.Enum) > 0 && !slices.ContainsFunc(p.Enum, func(e string) bool { v, err := p.parse(e); return err == nil && v == value }) {
		return nil, fmt.Errorf("must be one of %s", quotedList(p.Enum))
	}
	if p.Pattern != nil && !p.Pattern.MatchString(text) {
		return nil, fmt.Errorf("must match %s", p.Pattern)
	}
	if p.Minimum != nil && less(value, p.Minimum) {
		return nil, fmt.Errorf("must be at least %v", p.Minimum)
	}
	if p.Maximum != nil && less(p.Maximum, value) {
		return nil, fmt.Errorf("must be at most %v", p.Maximum)
	}
	return value, nil
}

// less compares two integers (int64) or two numbers (float64): setAttribute rejects minimum and
// maximum for other types, and parses both as the parameter's own.
func less(a, b any) bool {
	if i, ok := a.(int64); ok {
		j, ok := b.(int64)
		return ok && i < j
	}
	x, _ := a.(float64)
	y, _ := b.(float64)
	return x < y
}

// parse parses a value of the parameter's type, like an event's property, without validating it.
func (p Param) parse(text string) (any, error) {
	t, _ := contract.ScalarType(p.Type)
	value, err := contract.ParseScalar(t, text)
	if err != nil && p.Type == "date-time" && strings.Contains(text, " ") {
		err = fmt.Errorf("%w; in a URL, + is written %%2B", err)
	}
	return value, err
}

// JSON returns a value of the parameter as JSON and requests have it, dates and times as text.
func (p Param) JSON(value any) any {
	at, ok := value.(time.Time)
	switch {
	case !ok:
		return value
	case p.Type == "date":
		return at.Format(time.DateOnly)
	default:
		return at.Format(time.RFC3339Nano)
	}
}

// EnumJSON returns the allowed values in the parameter's type.
func (p Param) EnumJSON() []any {
	values := make([]any, len(p.Enum))
	for i, text := range p.Enum {
		value, err := p.Value(text)
		if err != nil {
			value = text // can't be: the parser has validated it
		}
		values[i] = p.JSON(value)
	}
	return values
}
