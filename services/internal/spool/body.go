package spool

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// Body is what was written, to be read by one client or many.
type Body struct {
	// Coding is how it is compressed: zstd, gzip or empty.
	Coding string
	// Size is its length in bytes.
	Size int64

	bytes  []byte
	file   *os.File // instead of bytes
	space  *Space
	client string // whose room the file takes
	taken  int64

	mu      sync.Mutex
	readers int // of file
}

// InMemory reports whether it is small enough to be cached.
func (b *Body) InMemory() bool { return b.file == nil }

// Bytes are those of a body in memory.
func (b *Body) Bytes() []byte { return b.bytes }

// Share gives a number of readers a part in the body's file, each of which it must release;
// for none it is dropped.
func (b *Body) Share(readers int) {
	b.mu.Lock()
	b.readers = readers + 1
	b.mu.Unlock()
	b.Release()
}

// Release ends a part in the body's file; with the last one the file is gone.
func (b *Body) Release() {
	if b.file == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.readers--; b.readers == 0 {
		_ = b.file.Close()
		b.space.give(b.client, b.taken)
	}
}

// Open reads the body's file from its beginning, beside others who do. Closing it ends a part in it.
func (b *Body) Open() io.ReadCloser {
	return &reader{body: b, file: io.NewSectionReader(b.file, 0, b.Size), start: time.Now()}
}

// errTooSlow ends an answer that is read too slowly.
var errTooSlow = errors.New("the answer is read more slowly than is allowed")

// reader ends when it is read too slowly: somebody else may need the room.
type reader struct {
	body  *Body
	file  io.Reader
	start time.Time
	sent  int64
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	limits := &r.body.space.limits
	if passed := time.Since(r.start); passed > limits.Grace && float64(r.sent) < float64(limits.Pace)*passed.Seconds() {
		return 0, errTooSlow
	}
	n, err := r.file.Read(p)
	r.sent += int64(n)
	return n, err
}

// Close implements io.Closer.
func (r *reader) Close() error {
	r.body.Release()
	return nil
}
