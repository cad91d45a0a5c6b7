package encode

import (
	"io"
	"strconv"
	"time"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/jsontext"
	"github.com/estela-dev/estela/services/internal/result"
)

// Encoder encodes the rows of an answer.
type Encoder interface {
	// Rows writes the first n rows of the chunk.
	Rows(chunk *result.Chunk, n int) error
	// End writes what comes after the last row.
	End(m Meta) error
}

// Func returns an encoder for an answer with these columns to w.
type Func func(w io.Writer, columns []Column) (Encoder, error)

// Column is a column of the answer.
type Column struct {
	Name string
	Type result.Type
}

// Meta describes an answer.
type Meta struct {
	// AsOf is the time of the last commit that the data show, the zero time before the first.
	AsOf time.Time
	Rows int
	// Next is the cursor of the next page, empty if there is none.
	Next string
	// Cut: there are more rows, which no page has. The answer doesn't say so.
	Cut bool
}

// append appends it as JSON.
func (m Meta) append(b []byte) []byte {
	b = append(b, `{"as_of":`...)
	if m.AsOf.IsZero() {
		b = append(b, "null"...)
	} else {
		b = append(AppendTime(append(b, '"'), column.TimestampTZ, m.AsOf.UTC()), '"')
	}
	b = append(b, `,"rows":`...)
	b = strconv.AppendInt(b, int64(m.Rows), 10)
	b = append(b, `,"next":`...)
	if m.Next == "" {
		b = append(b, "null"...)
	} else {
		b = jsontext.AppendString(b, m.Next)
	}
	return append(b, '}')
}
