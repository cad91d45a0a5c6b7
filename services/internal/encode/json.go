package encode

import (
	"io"

	"github.com/estela-dev/estela/services/internal/result"
)

// JSON is an encoder of one document: the rows and meta.
func JSON(w io.Writer, columns []Column) (Encoder, error) {
	e := newJSON(w, columns, ",", "")
	e.buf, e.meta = append(make([]byte, 0, 4<<10), `{"data":[`...), true
	return e, nil
}

// NDJSON is an encoder of a JSON object a line.
func NDJSON(w io.Writer, columns []Column) (Encoder, error) {
	return newJSON(w, columns, "", "\n"), nil
}

// jsonEncoder writes JSON: one document with meta, or an object a line.
type jsonEncoder struct {
	w       io.Writer
	buf     []byte
	columns []Column
	// keys are the columns' names with the punctuation around them.
	keys           []string
	between, after string // of rows
	meta           bool
	started        bool
}

func newJSON(w io.Writer, columns []Column, between, after string) *jsonEncoder {
	keys := make([]string, len(columns))
	for i, c := range columns {
		keys[i] = "{,"[min(i, 1):][:1] + string(AppendString(nil, c.Name)) + ":"
	}
	return &jsonEncoder{w: w, columns: columns, keys: keys, between: between, after: after}
}

// Rows implements Encoder.
func (e *jsonEncoder) Rows(chunk *result.Chunk, n int) error {
	for row := range n {
		if e.started {
			e.buf = append(e.buf, e.between...)
		}
		e.started = true
		for i := range e.columns {
			e.buf = append(e.buf, e.keys[i]...)
			e.buf = appendValue(e.buf, &e.columns[i].Type, &chunk.Vectors[i], row)
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

// End implements Encoder.
func (e *jsonEncoder) End(m Meta) error {
	if e.meta {
		e.buf = m.append(append(e.buf, `],"meta":`...))
		e.buf = append(e.buf, "}\n"...)
	}
	return e.flush()
}
