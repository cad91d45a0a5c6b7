package spool

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// Body is a finished answer, in memory or in a file that any number of clients read.
type Body struct {
	// Coding is its compression: zstd, gzip or empty.
	Coding string
	// Size is its length in bytes.
	Size int64

	bytes    []byte
	file     *os.File // instead of bytes
	space    *Space
	client   string // whose quota the file counts for
	reserved int64

	mu      sync.Mutex
	readers int // references to file
}

// InMemory reports whether it has no file, and can be cached.
func (b *Body) InMemory() bool { return b.file == nil }

// Bytes returns a body in memory.
func (b *Body) Bytes() []byte { return b.bytes }

// Share sets the number of references to the body's file, each of which must be released;
// 0 closes it.
func (b *Body) Share(readers int) {
	b.mu.Lock()
	b.readers = readers + 1
	b.mu.Unlock()
	b.Release()
}

// Release drops a reference. The last one closes the file, which deletes it.
func (b *Body) Release() {
	if b.file == nil {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.readers--; b.readers == 0 {
		_ = b.file.Close()
		b.space.release(b.client, b.reserved)
	}
}

// Open returns an independent reader of the body's file. Closing it releases a reference and calls closed,
// if it is not nil, with the number of bytes that were read.
func (b *Body) Open(closed func(read int64)) io.ReadCloser {
	return &reader{body: b, file: io.NewSectionReader(b.file, 0, b.Size), start: time.Now(), closed: closed}
}

var errTooSlow = errors.New("the answer is read more slowly than is allowed")

// reader fails if it is read more slowly than Limits allow: others may need the space.
type reader struct {
	body  *Body
	file  io.Reader
	start time.Time
	sent  int64

	closed func(read int64)
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	limits := &r.body.space.limits
	if passed := time.Since(r.start); passed > limits.Grace && float64(r.sent) < float64(limits.MinRate)*passed.Seconds() {
		return 0, errTooSlow
	}
	n, err := r.file.Read(p)
	r.sent += int64(n)
	return n, err
}

// Close implements io.Closer.
func (r *reader) Close() error {
	r.body.Release()
	if r.closed != nil {
		r.closed(r.sent)
	}
	return nil
}
