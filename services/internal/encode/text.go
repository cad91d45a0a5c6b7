package encode

import (
	"io"

	"github.com/estela-dev/estela/services/internal/result"
)

// flushAt is the size in bytes from which a text hands over what it has.
const flushAt = 32 << 10

// text is an Encoder of a format that is written row by row.
type text struct {
	w   io.Writer
	buf []byte
	// row appends a row of the chunk, end what comes after the last.
	row func(b []byte, chunk *result.Chunk, i int) []byte
	end func(b []byte, m Meta) []byte
}

// Rows implements Encoder.
func (t *text) Rows(chunk *result.Chunk, n int) error {
	for i := range n {
		t.buf = t.row(t.buf, chunk, i)
		if len(t.buf) >= flushAt {
			if err := t.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// End implements Encoder.
func (t *text) End(m Meta) error {
	t.buf = t.end(t.buf, m)
	return t.flush()
}

func (t *text) flush() error {
	_, err := t.w.Write(t.buf)
	t.buf = t.buf[:0]
	return err
}
