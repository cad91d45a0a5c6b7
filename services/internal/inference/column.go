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
	// Type and Format are those of JSON Schema.
	Type, Format string
	// Layout is how the texts are written where they have to be converted.
	Layout Layout
	// Separators are those of the dates of a layout, one or several of "/.-".
	Separators string
	// Missing are the texts that stand for no value, such as NA, where they have to be left out.
	Missing []string
	// Mixed: the values are of several types, and become texts.
	Mixed bool
	// Count is how many rows have a value. Present: every row has one. Null: some rows have the value
	// null.
	Count         int64
	Present, Null bool
	// Low and High are the bounds of numbers; Low is above High where they are not known.
	Low, High float64
	// Values are the values, as JSON, in order, if they are few; Distinct counts them, 0 if there are
	// more than were counted.
	Values   []string
	Distinct int
	// Saturated: no value came for the first time in the last nine tenths of the rows, which are 1,000
	// at least.
	Saturated bool
	// Repeats: the values are words, which come again in other rows.
	Repeats bool
	// Example is a value, as JSON.
	Example string
	// Note says what is not certain, empty if all is.
	Note string
}

// Layout is how a text writes a value that has to be converted.
type Layout uint8

// The layouts. Local times have no zone: UTC is assumed.
const (
	Plain          Layout = iota
	LocalTime             // 2026-02-01 06:00:00
	LooseTime             // 2026-02-01 06:00:00+00
	DayMonth              // 31/01/2026
	MonthDay              // 01/31/2026
	DayMonthTime          // 31/01/2026 06:00, local
	MonthDayTime          // 01/31/2026 06:00, local
	DecimalComma          // 1.234,5
	GroupedNumber         // 1,234.5
	AnyCaseBoolean        // True
)

const (
	// CertainRows is how many rows make it likely that what holds for all of them holds for others.
	CertainRows = 100
	// saturatedRows is how many rows it takes to know that no other value comes.
	saturatedRows = 1000
	// maxListed is how many values a column has that are listed.
	maxListed = 20
)

// Columns are those of the file, in its order.
func (p *Profile) Columns() []Column {
	names := propertyNames(p.columns)
	all := make([]Column, len(p.columns))
	for i, s := range p.columns {
		all[i] = s.column(p.rows, p.texts)
		all[i].Property = names[i]
		all[i].Repeats = p.repeats(i, &all[i])
		all[i].note(s)
	}
	return all
}

// Rows counts the rows.
func (p *Profile) Rows() int64 { return p.rows }

func (s *stats) column(rows int64, texts bool) Column {
	c := Column{
		Name: s.name, Type: "string", Example: s.first, Low: s.low, High: s.high,
		Distinct: s.words.count(), Present: s.values == rows, Count: s.values - s.missing, Null: s.nulls,
	}
	switch {
	case s.values == 0:
		c.Note = "has no value in any row"
	case s.values == s.missing:
		c.Note, c.Count = "has only words for no value, which stay text", s.values
	case s.types == isInteger && !s.wide:
		c.Type = "integer"
	case s.types&^(isInteger|isFraction) == 0:
		c.Type = "number"
		c.Mixed = s.wide
	case bits.OnesCount8(uint8(s.types)) > 1:
		c.Mixed = true
	case s.types == isObject:
		c.Type = "object"
	case s.types == isArray:
		c.Type = "array"
	case s.types == isBoolean:
		c.Type = "boolean"
	case s.values > s.missing:
		s.ofText(&c, texts)
	}
	if c.Mixed {
		c.Type, c.Note = "string", "has values of several types, which become text"
		if s.wide {
			c.Note = "has integers of more than 64 bits, which become text"
		}
	}
	if c.Distinct <= maxListed {
		c.Values = s.listed()
		c.Saturated = s.words != nil && rows >= saturatedRows && s.words.last <= rows/10
	}
	return c
}

// ofText decides what a column of texts is: the most exact of what all of them can be.
func (s *stats) ofText(c *Column, texts bool) {
	s.ofTime(c)
	if texts && c.Format == "" && s.alive&slashes == 0 {
		s.ofValue(c)
	}
	if s.missing == 0 || c.Type == "string" && c.Format == "" {
		c.Count = s.values
		return
	}
	c.Present = false
	for i, word := range missingWords {
		if s.marks&(1<<i) != 0 {
			c.Missing = append(c.Missing, word)
		}
	}
}

func (s *stats) ofTime(c *Column) {
	both := s.alive&slashes == slashes
	switch {
	case s.alive&instant != 0:
		c.Format = "date-time"
	case s.alive&date != 0:
		c.Format = "date"
	case s.alive&uuid != 0:
		c.Format = "uuid"
	case s.alive&localTime != 0:
		c.Format, c.Layout = "date-time", LocalTime
	case s.alive&looseInstant != 0:
		c.Format, c.Layout = "date-time", LooseTime
	case both:
		c.Note = "its dates can be read day first and month first: they stay text"
	case s.alive&dayMonth != 0 && s.clock:
		c.Format, c.Layout = "date-time", DayMonthTime
	case s.alive&monthDay != 0 && s.clock:
		c.Format, c.Layout = "date-time", MonthDayTime
	case s.alive&dayMonth != 0:
		c.Format, c.Layout = "date", DayMonth
	case s.alive&monthDay != 0:
		c.Format, c.Layout = "date", MonthDay
	}
	for i, used := range s.separators {
		if used && c.Layout >= DayMonth && c.Layout <= MonthDayTime {
			c.Separators += dateSeparators[i : i+1]
		}
	}
}

// ofValue decides what texts are that stand for a value of another type.
func (s *stats) ofValue(c *Column) {
	const separated = commaNumber | groupedNumber
	switch {
	case s.alive&boolean != 0:
		c.Type = "boolean"
	case s.alive&looseBoolean != 0:
		c.Type, c.Layout = "boolean", AnyCaseBoolean
	case s.alive&nested != 0:
		c.Type = "object"
		if s.first[1] == '[' {
			c.Type = "array"
		}
	case s.alive&integer != 0:
		c.Type = "integer"
	case s.alive&number != 0:
		c.Type = "number"
		if !s.point && s.alive&commaNumber != 0 {
			c.Note = "its fractions all have three digits: if the point stands between thousands, correct mapping and type"
		}
	case s.alive&separated == separated:
		c.Note = "its comma may stand between thousands or before a fraction: they stay text"
	case s.alive&commaNumber != 0:
		c.Type, c.Layout = "number", DecimalComma
	case s.alive&groupedNumber != 0:
		c.Type, c.Layout = "number", GroupedNumber
	}
}

// listed returns the values, in order.
func (s *stats) listed() []string {
	if s.words == nil {
		return nil
	}
	return slices.Sorted(slices.Values(s.words.texts))
}

// repeats reports whether the column has words that come again.
func (p *Profile) repeats(at int, c *Column) bool {
	s := p.columns[at]
	if c.Type != "string" || c.Format != "" || s.values == 0 || s.bytes > maxKeyText*s.values {
		return false
	}
	if c.Distinct > 0 {
		return int64(c.Distinct) <= s.values/2
	}
	var seen hashes
	distinct, values := 0, 0
	for _, row := range p.window.rows {
		if at < len(row) && row[at] != 0 {
			values++
			if seen.add(row[at], maxHashes) {
				distinct++
			}
		}
	}
	return distinct > 0 && distinct <= values/2
}

// note adds what people should know of the column.
func (c *Column) note(s *stats) {
	var all []string
	add := func(format string, args ...any) { all = append(all, fmt.Sprintf(format, args...)) }
	if c.Note != "" {
		add("%s", c.Note)
	}
	switch c.Layout {
	case LocalTime, DayMonthTime, MonthDayTime:
		add("its times have no zone: UTC is assumed")
	case LooseTime:
		add("a time without a zone is taken as UTC")
	default:
	}
	if len(c.Missing) > 0 {
		add("%s is taken as no value", strings.Join(c.Missing, ", "))
	}
	if c.Type == "integer" && isTime(c.Property) {
		switch {
		case s.low >= 1e9 && s.high < 4.2e9:
			add("may be seconds since 1970: stays an integer")
		case s.low >= 1e12 && s.high < 4.2e12:
			add("may be milliseconds since 1970: stays an integer")
		}
	}
	c.Note = strings.Join(all, "; ")
}
