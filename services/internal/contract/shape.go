package contract

import (
	"strings"

	"github.com/estela-dev/estela/services/internal/column"
)

// Shape is what the contract says of a place in its events, for those who make
// events of values that are not JSON. The zero Shape says nothing.
type Shape struct{ s *schema }

// Shape is what the contract says of an event as a whole.
func (c *Contract) Shape() Shape { return Shape{c.root} }

// Known reports whether the contract says anything.
func (s Shape) Known() bool { return s.s != nil }

// Column is the type of a column that holds the values; false if there could be none.
func (s Shape) Column() (column.Kind, bool) {
	if s.s == nil || s.s.kinds == kindAny {
		return column.JSON, false
	}
	return s.s.column(), true
}

// IsText reports whether the values are strings, of a format or none.
func (s Shape) IsText() bool { return s.s != nil && s.s.kind() == kindString }

// IsFree reports whether the values are strings without a format.
func (s Shape) IsFree() bool { return s.IsText() && s.s.format == formatNone }

// IsNumber reports whether the values are numbers or integers.
func (s Shape) IsNumber() bool {
	return s.s != nil && (s.s.kind() == kindNumber || s.s.kind() == kindInteger)
}

// IsInteger reports whether the values are integers.
func (s Shape) IsInteger() bool { return s.s != nil && s.s.kind() == kindInteger }

// HasZone reports whether the values are date-times.
func (s Shape) HasZone() bool { return s.IsText() && s.s.format == formatDateTime }

// Member is what the contract says of a property of the object, and whether it names
// the property.
func (s Shape) Member(name string) (member Shape, named bool) {
	if s.s == nil {
		return Shape{}, false
	}
	i, named := s.s.index[name]
	if !named {
		return Shape{}, false
	}
	return Shape{s.s.properties[i].schema}, true
}

// Nearly is the property that a name is likely meant for, "" if it is like none.
func (s Shape) Nearly(name string) string {
	for _, other := range []string{strings.TrimSpace(name), strings.ToLower(strings.TrimSpace(name))} {
		if _, named := s.Member(other); named {
			return other
		}
	}
	return ""
}

// NeedsNull reports whether a NULL of that property must be written: it may be null
// and not absent.
func (s Shape) NeedsNull(name string) bool {
	if s.s == nil {
		return false
	}
	i, named := s.s.index[name]
	return named && s.s.properties[i].required && s.s.properties[i].schema.takesNull()
}

// Closed reports whether there may be no properties but those that are named.
func (s Shape) Closed() bool { return s.s != nil && s.s.closed }

// Items is what the contract says of an array's items.
func (s Shape) Items() Shape {
	if s.s == nil {
		return Shape{}
	}
	return Shape{s.s.items}
}
