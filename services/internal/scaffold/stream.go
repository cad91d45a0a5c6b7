package scaffold

import (
	"fmt"

	"github.com/estela-dev/estela/services/internal/inference"
)

// decideStream decides what the entries of a stream allow: no mapping comes between them and the table,
// so that nothing is converted. A text that would have to be stays text; a property whose values are of
// several types is left out, for it can't be a column of any.
func (s *Survey) decideStream() {
	moved := make([]int, len(s.Columns))
	var kept []inference.Column
	for i := range s.Columns {
		c := s.Columns[i]
		if moved[i] = len(kept); c.Mixed && !s.Format.IsTable() {
			moved[i] = -1
			s.LeftOut = append(s.LeftOut, c.Name)
			continue
		}
		if s.converts(&c) {
			c = asText(c)
		}
		kept = append(kept, c)
	}
	for i, at := range s.Key.Columns {
		s.Key.Columns[i] = moved[at]
	}
	s.Columns = kept
	for _, at := range s.Key.Columns { // of what is no ID another entry may have the same
		if at < 0 || !inference.IsID(kept[at].Property) && kept[at].Format != "uuid" {
			s.Key = inference.Key{}
			break
		}
	}
}

// asText is the column without a conversion.
func asText(c inference.Column) inference.Column {
	note := "could be a " + c.Type + " if its producers wrote it as JSON does: stays text"
	if c.Format != "" {
		note = "could be a " + c.Format + " if its producers wrote it by RFC 3339: stays text"
	}
	if c.Mixed {
		note = c.Note
	}
	c.Type, c.Format, c.Layout, c.Missing, c.Mixed, c.Note = "string", "", inference.Plain, nil, false, note
	return c
}

// streamKeyReason says what the key of a stream's events is and why.
func (s *Survey) streamKeyReason() string {
	if len(s.Key.Columns) == 0 {
		return fmt.Sprintf("none, for no ID differs in each of the %d entries that were read: "+
			"an event's place in the stream identifies it, and one that is sent twice is stored twice", s.Rows)
	}
	return s.fileKeyReason() + fmt.Sprintf("; these are the %d entries that were read: where others may have the same, remove the key from the contract before the first start, "+
		"or they are dropped as duplicates", s.Rows)
}
