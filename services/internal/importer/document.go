package importer

import (
	"cmp"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/jsontext"
	"github.com/estela-dev/estela/services/internal/result"
)

// documentColumn writes a column of a query's result into documents.
type documentColumn struct {
	at    int    // index of the result's column
	label []byte // "name":
	write writer
	null  bool // write NULL as null instead of leaving it out
}

// documentWriter writes chunks of a query's result as documents.
type documentWriter struct {
	columns  []documentColumn
	line     int // index of the column _row, -1 if there is none
	lineKind column.Kind
	fn       func(Document) error
	rows     int64
	buf      []byte
}

func (w *documentWriter) chunk(chunk *result.Chunk) error {
	for i := range chunk.Rows {
		w.rows++
		d := Document{Line: w.rows}
		if w.line >= 0 && !chunk.Vectors[w.line].Null(i) {
			d.Line = int64(chunk.Vectors[w.line].Integer(w.lineKind, i).Low)
		}
		d.JSON, d.Problem = w.row(chunk.Vectors, i)
		if err := w.fn(d); err != nil {
			return err
		}
	}
	return nil
}

// row writes a row as a document. An invalid value is written as its text, or null if it has none, and
// returned as fault.
func (w *documentWriter) row(vectors []result.Vector, i int) (_ []byte, fault error) {
	b := append(w.buf[:0], '{')
	defer func() { w.buf = b }()
	for c := range w.columns {
		to := &w.columns[c]
		v := vectors[to.at]
		if v.Null(i) && !to.null {
			continue
		}
		from := len(b)
		if from > 1 {
			b = append(b, ',')
		}
		b = append(b, to.label...)
		if v.Null(i) {
			b = append(b, "null"...)
			continue
		}
		value := len(b)
		written, err := to.write(b, v, i)
		switch {
		case err == nil:
			b = written
		case v.Kind == column.Varchar:
			fault, b = cmp.Or(fault, err), jsontext.AppendString(b[:value], v.Bytes(i))
		default:
			fault, b = cmp.Or(fault, err), append(b[:value], "null"...)
		}
		if err == nil && !to.null && string(b[value:]) == "null" {
			b = b[:from]
		}
	}
	b = append(b, '}')
	return b, fault
}
