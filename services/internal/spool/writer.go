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
	// maxInMemory is the size in bytes above which an answer goes to a temporary file.
	maxInMemory = 1 << 20
	// minCompressed is the size in bytes from which an answer is compressed.
	minCompressed = 1 << 10
)

// Coding is the content coding that was negotiated with a client.
type Coding struct {
	// Name is zstd, gzip or empty.
	Name string
	// Required is true if the client refuses an uncompressed answer, however short.
	Required bool
}

// Writer compresses and buffers an answer.
type Writer struct {
	coding Coding
	limit  int64
	hash   io.Writer // nil: none

	written    int64      // before compression
	pending    []byte     // until its size decides whether to compress
	compressor compressor // nil until there is more than minCompressed
	body       *Body
}

// Writer returns a writer for an answer of up to limit bytes before compression, in the client's
// quota. What is written also goes to hash, if there is one. The caller calls Finish or Discard.
func (s *Space) Writer(client string, coding Coding, limit int64, hash io.Writer) *Writer {
	return &Writer{coding: coding, limit: limit, hash: hash, body: &Body{space: s, client: client}}
}

type compressor interface {
	io.WriteCloser
	Reset(w io.Writer)
}

var compressors = map[string]*sync.Pool{
	"gzip": {New: func() any { w, _ := gzip.NewWriterLevel(io.Discard, 4); return w }},
	"zstd": {New: func() any {
		w, _ := zstd.NewWriter(io.Discard, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20))
		return w
	}},
}

// Write implements io.Writer. Its error is a *LimitError if the answer is over a limit.
func (w *Writer) Write(p []byte) (int, error) {
	if w.written += int64(len(p)); w.written > w.limit {
		return 0, &LimitError{Limit: TooLarge, Detail: fmt.Sprintf("The answer has more than %d MB. Narrow it with the endpoint's parameters.", w.limit>>20)}
	}
	if w.hash != nil {
		_, _ = w.hash.Write(p)
	}
	switch {
	case w.coding.Name == "":
		return w.emit(p)
	case w.compressor != nil:
		return w.compressor.Write(p)
	}
	w.pending = append(w.pending, p...)
	if len(w.pending) < minCompressed && !w.coding.Required {
		return len(p), nil
	}
	w.compressor = compressors[w.coding.Name].Get().(compressor) //nolint:forcetypeassert // the pool's type
	w.compressor.Reset(emitter{w})
	_, err := w.compressor.Write(w.pending)
	return len(p), err
}

// emitter passes a compressor's output to Writer.emit.
type emitter struct{ w *Writer }

func (s emitter) Write(p []byte) (int, error) { return s.w.emit(p) }

func (w *Writer) emit(p []byte) (int, error) {
	b := w.body
	b.Size += int64(len(p))
	if b.file == nil && len(b.bytes)+len(p) <= maxInMemory {
		b.bytes = append(b.bytes, p...)
		return len(p), nil
	}
	for b.reserved < b.Size {
		if err := b.space.reserve(b.client, b.reserved, allocUnit); err != nil {
			return 0, err
		}
		b.reserved += allocUnit
	}
	if err := b.spill(); err != nil {
		return 0, err
	}
	return len(p), b.store(p)
}

func (b *Body) store(p []byte) error {
	_, err := b.file.Write(p)
	switch {
	case isDiskFull(err):
		return diskFull(err)
	case err != nil:
		return fmt.Errorf("write answer to a temporary file: %w", err)
	}
	return nil
}

// spill moves the buffer to a file that is unlinked at once, so that it ends with the process.
func (b *Body) spill() error {
	if b.file != nil {
		return nil
	}
	file, err := os.CreateTemp("", "estela-answer-")
	if isDiskFull(err) {
		return diskFull(err)
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

// Finish returns the body. Nothing may be written afterwards; the caller calls Body.Share
// before it is read.
func (w *Writer) Finish() (*Body, error) {
	if w.compressor == nil {
		_, err := w.emit(w.pending)
		return w.body, err
	}
	w.body.Coding = w.coding.Name
	return w.body, w.returnCompressor(w.compressor.Close())
}

// returnCompressor puts the compressor back into its pool and returns err.
func (w *Writer) returnCompressor(err error) error {
	if w.compressor != nil {
		w.compressor.Reset(io.Discard)
		compressors[w.coding.Name].Put(w.compressor)
		w.compressor = nil
	}
	return err
}

// Discard frees what was written.
func (w *Writer) Discard() {
	_ = w.returnCompressor(nil)
	if w.body.file != nil {
		_ = w.body.file.Close()
	}
	if w.body.reserved > 0 {
		w.body.space.release(w.body.client, w.body.reserved)
	}
}
