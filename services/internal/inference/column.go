package inference

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// Column is what the values of a column are.
type Column struct {
	// Name is the column's in the file, Property what it is called in a contract.
	Name, Property string
	// Type and Format are those of JSON Schema. The type is empty where values of several
	// types are mixed.
	Type, Format string
	// Layout is how the texts of a date or time are written that JSON Schema has no format
	// for; see Layout.
	Layout Layout
	// Required: every row has a value.
	Required bool
	// Enum are the values, as JSON, in order, if there are few and many rows.
	Enum []string
	// NotNegative: no number is below 0.
	NotNegative bool
	// Distinct counts the values, 0 if there are more than were counted.
	Distinct int
	// Example is a value, as JSON.
	Example string
	// Note says what could not be known, for people; empty: nothing.
	Note string
}

// Layout is how a text writes a date, a time or a number that has to be converted.
type Layout uint8

// The layouts. Local times have no zone: the mapping has to name one.
const (
	Plain        Layout = iota
	LocalTime           // 2026-02-01 06:00:00
	DayMonth            // 31/01/2026
	MonthDay            // 01/31/2026
	DecimalComma        // 1.234,5
)

// enumRows is how many rows each value of an enum must have been seen in, on average: with
// fewer, another value is likely to come.
const enumRows = 20

// maxEnum is how many values an enum has.
const maxEnum = 20

// Columns are those of the file, in its order.
func (p *Profile) Columns() []Column {
	names := propertyNames(p.columns)
	all := make([]Column, len(p.columns))
	for i, s := range p.columns {
		all[i] = s.column(p.rows, p.texts)
		all[i].Property = names[i]
	}
	return all
}

// Rows counts the rows.
func (p *Profile) Rows() int64 { return p.rows }

func (s *stats) column(rows int64, texts bool) Column {
	c := Column{Name: s.name, Required: s.values == rows, Distinct: len(s.counts), Example: s.first}
	switch {
	case s.values == 0:
		c.Type, c.Note = "string", "has no value in any row"
	case bits.OnesCount8(uint8(s.types&^(isInteger|isFraction))) > 1 || s.types&(isInteger|isFraction) != 0 && s.types&^(isInteger|isFraction) != 0:
		c.Note = "has values of several types"
	case s.types == isNested:
		c.Type = "object"
		if s.first[0] == '[' {
			c.Type = "array"
		}
	case s.types == isBoolean:
		c.Type = "boolean"
	case s.types == isInteger:
		c.Type, c.NotNegative = "integer", s.low >= 0
	case s.types == isText:
		s.ofText(&c, texts)
	default:
		c.Type, c.NotNegative = "number", s.low >= 0
	}
	if c.Type == "string" && c.Format == "" && c.Layout == Plain {
		c.Enum = s.enum()
	}
	return c
}

// ofText decides what a column of texts is: the most exact of what all of them can be.
func (s *stats) ofText(c *Column, texts bool) {
	c.Type = "string"
	switch {
	case s.alive&instant != 0:
		c.Format = "date-time"
	case s.alive&date != 0:
		c.Format = "date"
	case s.alive&uuid != 0:
		c.Format = "uuid"
	case s.alive&localTime != 0:
		c.Format, c.Layout = "date-time", LocalTime
		c.Note = "its times have no zone: UTC is assumed"
	case s.alive&(dayMonth|monthDay) == dayMonth|monthDay:
		c.Note = "its dates can be read day first and month first, so they stay text"
	case s.alive&dayMonth != 0:
		c.Format, c.Layout = "date", DayMonth
	case s.alive&monthDay != 0:
		c.Format, c.Layout = "date", MonthDay
	case !texts: // a text that looks like a number is a text
	case s.alive&boolean != 0:
		c.Type = "boolean"
	case s.alive&integer != 0:
		c.Type, c.NotNegative = "integer", s.low >= 0
	case s.alive&number != 0:
		c.Type, c.NotNegative = "number", s.low >= 0
	case s.alive&commaNumber != 0:
		c.Type, c.Layout = "number", DecimalComma
	}
}

func (s *stats) enum() []string {
	if len(s.counts) < 2 || len(s.counts) > maxEnum || s.values < int64(enumRows*len(s.counts)) {
		return nil
	}
	words := make([]string, 0, len(s.counts))
	for word := range s.counts {
		words = append(words, word)
	}
	slices.Sort(words)
	return words
}

// propertyNames makes names of properties: lower case, ASCII, no two alike.
func propertyNames(columns []*stats) []string {
	names := make([]string, len(columns))
	met := map[string]bool{}
	for i, s := range columns {
		name := propertyName(s.name)
		for n := 2; met[name]; n++ {
			name = fmt.Sprintf("%s_%d", strings.TrimRight(propertyName(s.name), "_"), n)
		}
		met[name], names[i] = true, name
	}
	return names
}

// maxName is what a column's name may have of characters.
const maxName = 63

func propertyName(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case plain[r] != "":
			b.WriteString(plain[r])
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
	}
	out := strings.TrimRight(b.String(), "_")
	if out == "" || out[0] >= '0' && out[0] <= '9' {
		out = "column_" + out
	}
	return strings.TrimRight(out[:min(len(out), maxName-4)], "_") // room for a number
}

// plain are the letters of Western European languages without their marks.
var plain = map[rune]string{
	'á': "a", 'à': "a", 'â': "a", 'ä': "a", 'ã': "a", 'å': "a", 'ç': "c", 'é': "e", 'è': "e", 'ê': "e", 'ë': "e", 'í': "i", 'ì': "i", 'î': "i", 'ï': "i",
	'ñ': "n", 'ó': "o", 'ò': "o", 'ô': "o", 'ö': "o", 'õ': "o", 'ø': "o", 'ú': "u", 'ù': "u", 'û': "u", 'ü': "u", 'ý': "y", 'ÿ': "y", 'ß': "ss", 'æ': "ae", 'œ': "oe",
}
