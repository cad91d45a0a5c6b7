package endpoint

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/contract"
)

// Param is one query parameter of an endpoint.
type Param struct {
	Name string
	// Type is string, integer, number, boolean, date, date-time or uuid.
	Type     string
	Required bool
	// Default is the value of an absent parameter, of the Go type that Value
	// gives; nil is NULL.
	Default any
	// Enum are the values allowed; empty: any.
	Enum []string
	// Pattern is what a string must match, somewhere unless it is anchored.
	Pattern *regexp.Regexp
	// Minimum and Maximum bound an integer (int64) or number (float64),
	// inclusive; nil: unbounded.
	Minimum, Maximum any
	// Example is a value that shows something, of the Go type that Value gives; nil:
	// the default will do.
	Example     any
	Description string
}

// keyPrefix begins the names that a cursor's values are bound under; no parameter
// of an endpoint begins with it.
const keyPrefix = "cursor_"

// Value reads the text of a parameter: string, int64, float64, bool or time.Time
// (UTC). Its error is what was expected.
func (p Param) Value(text string) (any, error) {
	value, err := p.parse(text)
	if err != nil {
		return nil, err
	}
	if len(p.Enum) > 0 && !slices.ContainsFunc(p.Enum, func(e string) bool { v, err := p.parse(e); return err == nil && v == value }) {
		return nil, fmt.Errorf("must be one of %s", listed(p.Enum))
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

func less(a, b any) bool {
	if i, ok := a.(int64); ok {
		j, ok := b.(int64)
		return ok && i < j
	}
	x, _ := a.(float64)
	y, _ := b.(float64)
	return x < y
}

// parse reads a value of the parameter's type, whatever else is asked of it: as an
// event's property of that type is read.
func (p Param) parse(text string) (any, error) {
	t, _ := contract.ScalarType(p.Type)
	value, err := contract.ParseScalar(t, text)
	if err != nil && p.Type == "date-time" && strings.Contains(text, " ") {
		err = fmt.Errorf("%w; in a URL, + is written %%2B", err)
	}
	return value, err
}
