package spool

import (
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const (
	// inMemory is how much of an answer stays in memory, in bytes; the rest
	// goes to a temporary file.
	inMemory = 1 << 20
	// compressFrom is the size from which an answer is compressed, in bytes.
	compressFrom = 1 << 10
)

// Coding is how an answer is compressed for a client.
type Coding struct {
	// Name is zstd, gzip or empty.
	Name string
	// Must is a client that takes no plain answer, however short.
	Must bool
}

// Writer takes an answer while it is written.
type Writer struct {
	coding Coding
	limit  int64
	hash   io.Writer // nil: none

	written int64  // before compression
	head    []byte // not compressed yet
	coder   coder  // nil until there is more than compressFrom
	body    *Body
}

// Writer takes an answer of up to limit bytes before compression, for the client. The hash, if
// there is one, is of what is written. The caller drops the writer or finishes it.
func (s *Space) Writer(client string, coding Coding, limit int64, hash io.Writer) *Writer {
	return &Writer{coding: coding, limit: limit, hash: hash, body: &Body{space: s, client: client}}
}

// coder compresses.
type coder interface {
	io.WriteCloser
	Reset(w io.Writer)
}

var coders = map[string]*sync.Pool{
	"gzip": {New: func() any { w, _ := gzip.NewWriterLevel(io.Discard, 4); return w }},
	"zstd": {New: func() any {
		w, _ := zstd.NewWriter(io.Discard, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20))
		return w
	}},
}

// Write implements io.Writer. An answer that there is no room for is a *LimitError.
func (w *Writer) Write(p []byte) (int, error) {
	if w.written += int64(len(p)); w.written > w.limit {
		return 0, &LimitError{Limit: TooLarge, Detail: fmt.Sprintf("The answer has more than %d MB. Narrow it with the endpoint's parameters.", w.limit>>20)}
	}
	if w.hash != nil {
		_, _ = w.hash.Write(p)
	}
	switch {
	case w.coding.Name == "":
		return w.sink(p)
	case w.coder != nil:
		return w.coder.Write(p)
	}
	w.head = append(w.head, p...)
	if len(w.head) < compressFrom && !w.coding.Must {
		return len(p), nil
	}
	w.coder = coders[w.coding.Name].Get().(coder) //nolint:forcetypeassert // the pool's
	w.coder.Reset(sink{w})
	_, err := w.coder.Write(w.head)
	return len(p), err
}

// sink is where the compressed bytes go.
type sink struct{ w *Writer }

func (s sink) Write(p []byte) (int, error) { return s.w.sink(p) }

func (w *Writer) sink(p []byte) (int, error) {
	b := w.body
	b.Size += int64(len(p))
	if b.file == nil && len(b.bytes)+len(p) <= inMemory {
		b.bytes = append(b.bytes, p...)
		return len(p), nil
	}
	for b.taken < b.Size {
		if err := b.space.take(b.client, b.taken, grain); err != nil {
			return 0, err
		}
		b.taken += grain
	}
	if err := b.spill(); err != nil {
		return 0, err
	}
	return len(p), b.store(p)
}

// store writes to the file.
func (b *Body) store(p []byte) error {
	_, err := b.file.Write(p)
	switch {
	case full(err):
		return noRoom(err)
	case err != nil:
		return fmt.Errorf("write answer to a temporary file: %w", err)
	}
	return nil
}

// spill moves what there is into a file that has no name any more, so that it is
// gone with the process whatever happens.
func (b *Body) spill() error {
	if b.file != nil {
		return nil
	}
	file, err := os.CreateTemp("", "estela-answer-")
	if full(err) {
		return noRoom(err)
	}
	if err != nil {
		return fmt.Errorf("make a temporary file for the answer: %w", err)
	}
	b.file = file
	if err := os.Remove(file.Name()); err != nil {
		return fmt.Errorf("hide the answer's temporary file: %w", err)
	}
	err = b.store(b.bytes)
	b.bytes = nil
	return err
}

// Finish is the body of what was written. Nothing is written after it; the body is shared
// before it is read.
func (w *Writer) Finish() (*Body, error) {
	if w.coder == nil {
		_, err := w.sink(w.head)
		return w.body, err
	}
	w.body.Coding = w.coding.Name
	return w.body, w.release(w.coder.Close())
}

// release gives the compressor back.
func (w *Writer) release(err error) error {
	if w.coder != nil {
		w.coder.Reset(io.Discard)
		coders[w.coding.Name].Put(w.coder)
		w.coder = nil
	}
	return err
}

// Drop throws away what was written.
func (w *Writer) Drop() {
	_ = w.release(nil)
	if w.body.file != nil {
		_ = w.body.file.Close()
	}
	if w.body.taken > 0 {
		w.body.space.give(w.body.client, w.body.taken)
	}
}
