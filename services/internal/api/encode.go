package api

import (
	"io"

	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/result"
)

// flushAt is the size in bytes from which an encoder hands over what it has.
const flushAt = 32 << 10

// encoder writes rows in a format.
type encoder interface {
	// rows writes the first n rows of the chunk.
	rows(chunk *result.Chunk, n int) error
	// end writes what comes after the last row.
	end(m meta) error
}

// newEncoder is the format's encoder for the endpoint's columns of these types, writing to w.
func (f *format) newEncoder(w io.Writer, r *route, sh *endpoint.Shape, types []result.Type) (encoder, error) {
	switch f.name {
	case "ndjson":
		return &jsonEncoder{w: w, types: types, keys: jsonKeys(sh), between: "", after: "\n"}, nil
	case "csv":
		return newCSVEncoder(w, sh, types), nil
	case "arrow":
		return newArrowEncoder(w, sh, types), nil
	case "parquet":
		return newParquetEncoder(w, sh, types)
	case "svg":
		return newChartEncoder(w, r, sh, types), nil
	default:
		return &jsonEncoder{
			w: w, buf: append(make([]byte, 0, 4<<10), `{"data":[`...), types: types, keys: jsonKeys(sh), between: ",", meta: true,
		}, nil
	}
}

// jsonEncoder writes JSON: one document with meta, or an object a line.
type jsonEncoder struct {
	w     io.Writer
	buf   []byte
	types []result.Type
	// keys are the columns' names with the punctuation around them.
	keys           []string
	between, after string // of rows
	meta           bool
	started        bool
}

// jsonKeys are what stands before each value of an object.
func jsonKeys(sh *endpoint.Shape) []string {
	keys := make([]string, len(sh.Columns))
	for i, c := range sh.Columns {
		keys[i] = "{,"[min(i, 1):][:1] + string(appendString(nil, c.Name)) + ":"
	}
	return keys
}

func (e *jsonEncoder) rows(chunk *result.Chunk, n int) error {
	for row := range n {
		if e.started {
			e.buf = append(e.buf, e.between...)
		}
		e.started = true
		for i := range e.types {
			e.buf = append(e.buf, e.keys[i]...)
			e.buf = appendValue(e.buf, &e.types[i], &chunk.Vectors[i], row)
		}
		e.buf = append(append(e.buf, '}'), e.after...)
		if len(e.buf) >= flushAt {
			if err := e.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (e *jsonEncoder) flush() error {
	_, err := e.w.Write(e.buf)
	e.buf = e.buf[:0]
	return err
}

func (e *jsonEncoder) end(m meta) error {
	if e.meta {
		e.buf = m.append(append(e.buf, `],"meta":`...))
		e.buf = append(e.buf, "}\n"...)
	}
	return e.flush()
}

// csvEncoder writes CSV.
type csvEncoder struct {
	w     io.Writer
	buf   []byte
	types []result.Type
}

func newCSVEncoder(w io.Writer, sh *endpoint.Shape, types []result.Type) *csvEncoder {
	e := &csvEncoder{w: w, types: types}
	for i, c := range sh.Columns {
		if i > 0 {
			e.buf = append(e.buf, ',')
		}
		e.buf = appendField(e.buf, []byte(c.Name))
	}
	e.buf = append(e.buf, "\r\n"...)
	return e
}

func (e *csvEncoder) rows(chunk *result.Chunk, n int) error {
	for row := range n {
		for i := range e.types {
			if i > 0 {
				e.buf = append(e.buf, ',')
			}
			e.buf = appendCSV(e.buf, &e.types[i], &chunk.Vectors[i], row)
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

func (e *csvEncoder) end(meta) error { return e.flush() }

// appendField writes a field of CSV, quoted where RFC 4180 asks for it. The empty
// string is quoted too, which tells it from NULL.
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
