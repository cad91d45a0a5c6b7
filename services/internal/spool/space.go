// Package spool takes an answer while it is written: a megabyte in memory, then a temporary file
// without a name. So the warehouse waits for no client, an error half-way can still become
// another answer, and memory is bounded whatever the answer's size. The files of all answers
// share a Space, and are read at a pace.
package spool

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// grain is how much room an answer takes at a time, in bytes.
const grain = 1 << 20

// Limits bound what large answers take.
type Limits struct {
	// Bytes bounds all answers, half of it those of one client; Reserve is what stays free of
	// the file system, 0 for a tenth of it, 1 GiB at the most.
	Bytes, Reserve int64
	// Pace is the least of bytes a second that an answer must be read at, on average from
	// its beginning, once Grace is over.
	Pace  int
	Grace time.Duration
}

// Space is the room that large answers may take in the temporary directory while they are
// made and read. Ingestion may write to the same file system.
type Space struct {
	dir    string
	each   int64 // one client's
	limits Limits

	mu   sync.Mutex
	used int64
	by   map[string]int64 // client
}

// NewSpace is an empty one.
func NewSpace(limits Limits) *Space {
	return &Space{dir: os.TempDir(), each: max(1, limits.Bytes/2), limits: limits, by: map[string]int64{}}
}

// Used is how many bytes are taken.
func (s *Space) Used() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}

// Limit is one that an answer runs into.
type Limit int

const (
	// TooLarge is an answer that can't be given, however often it is asked for.
	TooLarge Limit = iota
	// Busy is that of other answers.
	Busy
	// NoRoom is the file system's.
	NoRoom
)

// LimitError is an answer that there is no room for.
type LimitError struct {
	Limit Limit
	// Detail is what the client can do.
	Detail string

	cause error
}

func (e *LimitError) Error() string { return e.Detail }

func (e *LimitError) Unwrap() error { return e.cause }

// noRoom is a file system that is full. The cause is the error of a write, if there was one.
func noRoom(cause error) error {
	return &LimitError{NoRoom, "The server's disk has no room for large answers. Ask for less, or try again later.", cause}
}

// take makes room for n bytes more of a client's answer, which has some already.
func (s *Space) take(client string, has, n int64) error {
	if has+n > s.each {
		return &LimitError{Limit: TooLarge, Detail: fmt.Sprintf("The answer takes more than %d MB. Narrow it with the endpoint's parameters, or ask for it compressed.", s.each>>20)}
	}
	if free, reserve := s.free(); free-n < reserve {
		return noRoom(nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.by[client]+n > s.each:
		return &LimitError{Limit: Busy, Detail: fmt.Sprintf("The other answers of this client that are made or read take %d MB. Read them to the end, or ask for less.", s.by[client]>>20)}
	case s.used+n > s.limits.Bytes:
		return &LimitError{Limit: Busy, Detail: fmt.Sprintf("Large answers that are made or read take %d MB, as much as they may. Try again after a moment, or ask for less.", s.used>>20)}
	}
	s.used += n
	s.by[client] += n
	return nil
}

// give ends that.
func (s *Space) give(client string, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= n
	if s.by[client] -= n; s.by[client] <= 0 {
		delete(s.by, client)
	}
}

// free is what the file system of the temporary directory has left, and what must stay.
func (s *Space) free() (free, reserve int64) {
	var fs unix.Statfs_t
	if err := unix.Statfs(s.dir, &fs); err != nil {
		return 0, -grain // the write will say what is wrong
	}
	block := int64(fs.Bsize) //nolint:unconvert // of another type elsewhere
	free = int64(fs.Bavail) * block
	size := int64(fs.Blocks) * block
	if s.limits.Reserve > 0 {
		return free, s.limits.Reserve
	}
	return free, min(1<<30, size/10)
}

// full reports whether a write failed for want of room.
func full(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }
