package api

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// grain is how much room a spool takes at a time, in bytes.
const grain = 1 << 20

// space is the room that large answers may take in the temporary directory while they are
// made and read. Ingestion may write to the same file system.
type space struct {
	dir string
	// total and each bound the bytes of all answers and of one client's; reserve is what
	// stays free, 0 for the default.
	total, each, reserve int64
	// pace is the least of bytes a second that an answer must be read at, on average from
	// its beginning, once grace is over.
	pace  int64
	grace time.Duration

	mu   sync.Mutex
	used int64
	by   map[string]int64
}

func newSpace(cfg *Config) *space {
	return &space{
		dir: os.TempDir(), total: cfg.SpoolBytes, each: max(1, cfg.SpoolBytes/2), reserve: cfg.SpoolReserve,
		pace: int64(cfg.ReadPace), grace: cfg.ReadGrace, by: map[string]int64{},
	}
}

// take makes room for n bytes more of a client's answer, which has some already.
func (s *space) take(client string, has, n int64) error {
	if has+n > s.each {
		return tooLarge.new("", fmt.Sprintf("The answer takes more than %d MB. Narrow it with the endpoint's parameters, or ask for it compressed.", s.each>>20))
	}
	if free, reserve := s.free(); free-n < reserve {
		return noRoom.new("", "The server's disk has no room for large answers. Ask for less, or try again later.")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.by[client]+n > s.each:
		return overloaded.new("", fmt.Sprintf("The other answers of this client that are made or read take %d MB. Read them to the end, or ask for less.", s.by[client]>>20))
	case s.used+n > s.total:
		return overloaded.new("", fmt.Sprintf("Large answers that are made or read take %d MB, as much as they may. Try again after a moment, or ask for less.", s.used>>20))
	}
	s.used += n
	s.by[client] += n
	return nil
}

// give ends that.
func (s *space) give(client string, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= n
	if s.by[client] -= n; s.by[client] <= 0 {
		delete(s.by, client)
	}
}

// free is what the file system of the temporary directory has left, and what must stay.
func (s *space) free() (free, reserve int64) {
	var fs unix.Statfs_t
	if err := unix.Statfs(s.dir, &fs); err != nil {
		return 0, -grain // the write will say what is wrong
	}
	block := int64(fs.Bsize) //nolint:unconvert // of another type elsewhere
	free = int64(fs.Bavail) * block
	size := int64(fs.Blocks) * block
	if s.reserve > 0 {
		return free, s.reserve
	}
	return free, min(1<<30, size/10)
}

// full says whether a write failed for want of room.
func full(err error) bool { return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) }

// errTooSlow ends an answer that is read too slowly.
var errTooSlow = errors.New("the answer is read more slowly than is allowed")

// section reads an entry's file from its beginning, beside others who do, and ends when it
// is read too slowly: somebody else may need the room.
type section struct {
	entry *entry
	file  io.Reader
	start time.Time
	sent  int64
}

// Read implements io.Reader.
func (s *section) Read(p []byte) (int, error) {
	room := s.entry.room
	if passed := time.Since(s.start); passed > room.grace && float64(s.sent) < float64(room.pace)*passed.Seconds() {
		return 0, errTooSlow
	}
	n, err := s.file.Read(p)
	s.sent += int64(n)
	return n, err
}

// Close implements io.Closer.
func (s *section) Close() error {
	s.entry.release()
	return nil
}
