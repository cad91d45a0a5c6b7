package encode

import (
	"io"

	"github.com/estela-dev/estela/services/internal/result"
)

// flushAt is the size of the buffer, in bytes, from which it is flushed.
const flushAt = 32 << 10

// textEncoder is an Encoder of a format with one text a row.
type textEncoder struct {
	w   io.Writer
	buf []byte
	// row appends row i of the chunk, end what comes after the last row.
	row func(b []byte, chunk *result.Chunk, i int) []byte
	end func(b []byte, m Meta) []byte
}

// Rows implements Encoder.
func (t *textEncoder) Rows(chunk *result.Chunk, n int) error {
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
func (t *textEncoder) End(m Meta) error {
	t.buf = t.end(t.buf, m)
	return t.flush()
}

func (t *textEncoder) flush() error {
	_, err := t.w.Write(t.buf)
	t.buf = t.buf[:0]
	return err
}
