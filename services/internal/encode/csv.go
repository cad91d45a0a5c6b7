package encode

import (
	"io"

	"github.com/estela-dev/estela/services/internal/result"
)

// csvEncoder writes CSV.
type csvEncoder struct {
	w       io.Writer
	buf     []byte
	columns []Column
}

// CSV is an encoder of CSV with a header line.
func CSV(w io.Writer, columns []Column) (Encoder, error) {
	e := &csvEncoder{w: w, columns: columns}
	for i, c := range columns {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		e.buf = appendField(e.buf, []byte(c.Name))
	}
	e.buf = append(e.buf, "\r\n"...)
	return e, nil
}

// Rows implements Encoder.
func (e *csvEncoder) Rows(chunk *result.Chunk, n int) error {
	for row := range n {
		for i := range e.columns {
			if i > 0 {
				e.buf = append(e.buf, ',')
			}
			e.buf = appendCSV(e.buf, &e.columns[i].Type, &chunk.Vectors[i], row)
		}
		e.buf = append(e.buf, "\r\n"...)
		if len(e.buf) >= flushAt {
			if err := e.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *csvEncoder) flush() error {
	_, err := e.w.Write(e.buf)
	e.buf = e.buf[:0]
	return err
}

// End implements Encoder.
func (e *csvEncoder) End(Meta) error { return e.flush() }

// appendCSV writes row i of a vector as a field of CSV.
func appendCSV(b []byte, t *result.Type, v *result.Vector, i int) []byte {
	switch {
	case v.Null(i):
		return b
	case v.Kind == result.Varchar && t.Alias != jsonAlias:
		return appendField(b, v.Bytes(i))
	case v.Kind == result.Varchar, v.Kind == result.Enum, v.Inside != nil:
		return appendField(b, AppendText(nil, t, v, i))
	default:
		return AppendText(b, t, v, i)
	}
}

// appendField writes a field of CSV, quoted where RFC 4180 asks for it. The empty
// string is quoted too, unlike NULL.
func appendField(b, text []byte) []byte {
	quote := len(text) == 0 || text[0] == ' ' || text[len(text)-1] == ' '
	for _, c := range text {
		quote = quote || c == '"' || c == ',' || c == '\n' || c == '\r'
	}
	if !quote {
		return append(b, text...)
	}
	b = append(b, '"')
	for _, c := range text {
		if c == '"' {
			b = append(b, '"')
		}
		b = append(b, c)
	}
	return append(b, '"')
}
