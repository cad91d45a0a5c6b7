// Package spool buffers an answer while it is written: a megabyte in memory, then an unlinked
// temporary file. So the warehouse waits for no client, an error half-way can still become
// another answer, and memory is bounded whatever the answer's size. All files share the quota
// of a Space and must be read at a minimum rate.
package spool

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// allocUnit is the number of bytes by which an answer's reservation grows.
const allocUnit = 1 << 20

// Limits bounds the disk space of large answers.
type Limits struct {
	// Bytes is the quota of all answers; one client has half of it. Reserve is how many bytes
	// of the file system stay free; 0: a tenth of it, at most 1 GiB.
	Bytes, Reserve int64
	// MinRate is the lowest average rate, in bytes a second, at which an answer must be read
	// once Grace is over.
	MinRate int
	Grace   time.Duration
}

// Space is the quota of large answers in the temporary directory, from their first byte until
// they are read. Ingestion may write to the same file system.
type Space struct {
	dir          string
	maxPerClient int64
	limits       Limits

	mu       sync.Mutex
	used     int64
	byClient map[string]int64
}

// NewSpace returns a Space with nothing reserved.
func NewSpace(limits Limits) *Space {
	return &Space{dir: os.TempDir(), maxPerClient: max(1, limits.Bytes/2), limits: limits, byClient: map[string]int64{}}
}

// Used returns the number of reserved bytes.
func (s *Space) Used() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used
}

// Limit is the limit that an answer ran into.
type Limit int

const (
	// TooLarge is a limit that the answer alone is over: a retry fails again.
	TooLarge Limit = iota
	// Busy is the quota, used up by other answers.
	Busy
	// DiskFull is the file system's free space.
	DiskFull
)

// LimitError is returned if an answer is over a limit.
type LimitError struct {
	Limit Limit
	// Detail says what the client can do.
	Detail string

	cause error
}

func (e *LimitError) Error() string { return e.Detail }

func (e *LimitError) Unwrap() error { return e.cause }

// diskFull returns the error for a full file system; cause is the write's error, if there was one.
func diskFull(cause error) error {
	return &LimitError{DiskFull, "The server's disk has no room for large answers. Ask for less, or try again later.", cause}
}

// reserve adds n bytes to the reservation of a client's answer, which has `has` bytes before.
func (s *Space) reserve(client string, has, n int64) error {
	if has+n > s.maxPerClient {
		return &LimitError{Limit: TooLarge, Detail: fmt.Sprintf("The answer takes more than %d MB. Narrow it with the endpoint's parameters, or ask for it compressed.", s.maxPerClient>>20)}
	}
	if free, reserve := s.free(); free-n < reserve {
		return diskFull(nil)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.byClient[client]+n > s.maxPerClient:
		return &LimitError{Limit: Busy, Detail: fmt.Sprintf("The other answers of this client that are made or read take %d MB. Read them to the end, or ask for less.", s.byClient[client]>>20)}
	case s.used+n > s.limits.Bytes:
		return &LimitError{Limit: Busy, Detail: fmt.Sprintf("Large answers that are made or read take %d MB, as much as they may. Try again after a moment, or ask for less.", s.used>>20)}
	}
	s.used += n
	s.byClient[client] += n
	return nil
}

// release returns n bytes to the quota.
func (s *Space) release(client string, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= n
	if s.byClient[client] -= n; s.byClient[client] <= 0 {
		delete(s.byClient, client)
	}
}

// free returns the free bytes of the temporary directory's file system, and how many must stay
// free.
func (s *Space) free() (free, reserve int64) {
	var fs unix.Statfs_t
	if err := unix.Statfs(s.dir, &fs); err != nil {
		return 0, -allocUnit // the write will fail with the reason
	}
	block := int64(fs.Bsize) //nolint:unconvert // of another type elsewhere
	free = int64(fs.Bavail) * block
	size := int64(fs.Blocks) * block
	if s.limits.Reserve > 0 {
		return free, s.limits.Reserve
	}
	return free, min(1<<30, size/10)
}

// isDiskFull reports whether a write failed for lack of space.
func isDiskFull(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }
