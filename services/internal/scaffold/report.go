package scaffold

import (
	"fmt"
	"strings"
)

// Line is a line of the report: a column, its property, what it is and what is not certain.
type Line struct{ Column, Property, Type, Note string }

// Report says what was found of each column.
func (s *Survey) Report() []Line {
	var lines []Line
	for i := range s.Columns {
		c := &s.Columns[i]
		kind := c.Type
		if c.Format != "" {
			kind = c.Format
		}
		if !s.required(i) {
			kind += "?"
		}
		var role []string
		if s.isKey(i) {
			role = append(role, "key")
		}
		if i == s.Time {
			role = append(role, "time")
		}
		if s.isEnum(c) {
			role = append(role, fmt.Sprintf("one of %d values", c.Distinct))
		}
		lines = append(lines, Line{c.Name, c.Property, kind, join(strings.Join(role, ", "), c.Note)})
	}
	if s.madeKey() {
		lines = append(lines, Line{"", s.keyName(), "string", "key, made of the row's content"})
	}
	return lines
}

// KeyReason says what the key is and why.
func (s *Survey) KeyReason() string {
	if s.Stream != nil {
		return s.streamKeyReason()
	}
	return s.fileKeyReason()
}

func (s *Survey) fileKeyReason() string {
	names := strings.Join(s.keyNames(), ", ")
	if s.madeKey() {
		text := names + ", a hash of the row's content and its number among equal rows, for no short group of columns differs in every row"
		if len(s.Files) > 1 {
			text += "; a row that is in two files is stored once"
		}
		return text
	}
	text := fmt.Sprintf("%s, which differs in each row", names)
	if len(s.Key.Columns) > 1 {
		text = fmt.Sprintf("%s, which together differ in each row, and no column does alone", names)
	}
	if s.Key.Partial {
		text += " (a part of the values was compared, for lack of memory)"
	}
	if s.Key.Chance {
		text += "; that may be chance, so check it"
	}
	return text
}

// TimeReason says what the time is and why.
func (s *Survey) TimeReason() string {
	if s.Time < 0 {
		return "none, for no date or time is in every row; that of the stream counts"
	}
	text := s.Columns[s.Time].Property
	var others []string
	for i := range s.Columns {
		if f := s.Columns[i].Format; i != s.Time && (f == "date" || f == "date-time") {
			others = append(others, s.Columns[i].Property)
		}
	}
	if len(others) > 0 {
		return text + ", rather than " + strings.Join(others, ", ") + ", by its name and type"
	}
	return text + ", the only date or time"
}
