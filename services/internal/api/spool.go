package api

import (
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/xxh3"
)

const (
	// spoolMemory is how much of an answer is kept in memory, in bytes; the rest
	// goes to a temporary file. It is also the size up to which answers are cached.
	spoolMemory = 1 << 20
	// compressFrom is the size from which an answer is compressed, in bytes.
	compressFrom = 1 << 10
)

// spool takes an answer while it is written, so that the warehouse waits for no
// client, an error can still become a problem document, and memory is bounded
// whatever the answer's size.
type spool struct {
	coding coding
	limit  int64

	hash    *xxh3.Hasher // nil unless the ETag needs it
	written int64        // before compression
	head    []byte       // not compressed yet
	coder   coder        // nil until there is more than compressFrom
	body    []byte
	size    int64
	file    *os.File

	room   *space
	client string // whose room it takes
	taken  int64  // of room
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

// Write implements io.Writer.
func (s *spool) Write(p []byte) (int, error) {
	if s.written += int64(len(p)); s.written > s.limit {
		return 0, tooLarge.new("", fmt.Sprintf("The answer has more than %d MB. Narrow it with the endpoint's parameters.", s.limit>>20))
	}
	if s.hash != nil {
		_, _ = s.hash.Write(p)
	}
	switch {
	case s.coding.name == "":
		return s.sink(p)
	case s.coder != nil:
		return s.coder.Write(p)
	}
	s.head = append(s.head, p...)
	if len(s.head) < compressFrom && !s.coding.must {
		return len(p), nil
	}
	s.coder = coders[s.coding.name].Get().(coder) //nolint:forcetypeassert // the pool's
	s.coder.Reset(sink{s})
	_, err := s.coder.Write(s.head)
	return len(p), err
}

// sink is where the compressed bytes go.
type sink struct{ *spool }

func (s sink) Write(p []byte) (int, error) { return s.sink(p) }

func (s *spool) sink(p []byte) (int, error) {
	s.size += int64(len(p))
	if s.file == nil && len(s.body)+len(p) <= spoolMemory {
		s.body = append(s.body, p...)
		return len(p), nil
	}
	for s.taken < s.size {
		if err := s.room.take(s.client, s.taken, grain); err != nil {
			return 0, err
		}
		s.taken += grain
	}
	if err := s.spill(); err != nil {
		return 0, err
	}
	return len(p), s.store(p)
}

// store writes to the file.
func (s *spool) store(p []byte) error {
	_, err := s.file.Write(p)
	switch {
	case full(err):
		return noRoom.because(err, "The server's disk has no room for large answers. Ask for less, or try again later.")
	case err != nil:
		return fmt.Errorf("write answer to a temporary file: %w", err)
	}
	return nil
}

// spill moves what there is into a file that has no name any more, so that it is
// gone with the process whatever happens.
func (s *spool) spill() error {
	if s.file != nil {
		return nil
	}
	file, err := os.CreateTemp("", "estela-answer-")
	if full(err) {
		return noRoom.because(err, "The server's disk has no room for large answers. Ask for less, or try again later.")
	}
	if err != nil {
		return fmt.Errorf("make a temporary file for the answer: %w", err)
	}
	s.file = file
	if err := os.Remove(file.Name()); err != nil {
		return fmt.Errorf("hide the answer's temporary file: %w", err)
	}
	err = s.store(s.body)
	s.body = nil
	return err
}

// end finishes what was written. The spool is not written to again.
func (s *spool) end() error {
	if s.coder == nil {
		s.coding.name = ""
		_, err := s.sink(s.head)
		return err
	}
	return s.release(s.coder.Close())
}

// release gives the compressor back.
func (s *spool) release(err error) error {
	if s.coder != nil {
		s.coder.Reset(io.Discard)
		coders[s.coding.name].Put(s.coder)
		s.coder = nil
	}
	return err
}

// drop throws away what was written.
func (s *spool) drop() {
	_ = s.release(nil)
	if s.file != nil {
		_ = s.file.Close()
	}
	if s.taken > 0 {
		s.room.give(s.client, s.taken)
	}
}
