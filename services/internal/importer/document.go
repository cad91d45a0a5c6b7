package importer

import (
	"cmp"

	"github.com/estela-dev/estela/services/internal/result"
)

// documentColumn is a column of the mapping's answer on its way into documents.
type documentColumn struct {
	at    int    // among the answer's columns
	label []byte // "name":
	write writer
	null  bool // NULL is null and not absent
}

// documentWriter writes chunks of an answer as documents.
type documentWriter struct {
	columns  []documentColumn
	line     int // the column _row, -1 if there is none
	lineKind result.Kind
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

// row writes a row, and says what is wrong with it: a value at fault is its text then, or
// null if it has none.
func (w *documentWriter) row(vectors []result.Vector, i int) (_ []byte, fault error) {
	b := append(w.buf[:0], '{')
	defer func() { w.buf = b }()
	for c := range w.columns {
		column := &w.columns[c]
		v := vectors[column.at]
		if v.Null(i) && !column.null {
			continue
		}
		from := len(b)
		if from > 1 {
			b = append(b, ',')
		}
		b = append(b, column.label...)
		if v.Null(i) {
			b = append(b, "null"...)
			continue
		}
		value := len(b)
		written, err := column.write(b, v, i)
		switch {
		case err == nil:
			b = written
		case v.Kind == result.Varchar:
			fault, b = cmp.Or(fault, err), appendJSONString(b[:value], v.Bytes(i))
		default:
			fault, b = cmp.Or(fault, err), append(b[:value], "null"...)
		}
		if err == nil && !column.null && string(b[value:]) == "null" {
			b = b[:from]
		}
	}
	b = append(b, '}')
	return b, fault
}

const hexDigits = "0123456789abcdef"

// escaped are the bytes of valid UTF-8 that stand otherwise in a JSON string.
var escaped = func() (table [256]bool) {
	for i := range ' ' {
		table[i] = true
	}
	table['"'], table['\\'] = true, true
	return table
}()

// appendJSONString writes valid UTF-8 text as a JSON string.
func appendJSONString(buf, text []byte) []byte {
	buf = append(buf, '"')
	from := 0
	for i, c := range text {
		if !escaped[c] {
			continue
		}
		buf = append(buf, text[from:i]...)
		from = i + 1
		if c == '"' || c == '\\' {
			buf = append(buf, '\\', c)
		} else {
			buf = append(buf, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(buf, text[from:]...), '"')
}
