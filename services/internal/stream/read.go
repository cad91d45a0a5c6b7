package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
)

const (
	// firstCount is asked for while the size of the entries is not known.
	firstCount = 256
	// maxReply is the size that a reply should not exceed: it is built in the
	// server's memory.
	maxReply = 16 << 20
)

var errDetached = errors.New("no cursor: Attach first")

// Read returns the next entries, none after Block. A large reply comes in
// several parts, one a call. The entries' bytes are valid until release is called; it may be
// called from any goroutine, once.
//
// After any error the group's cursor is unknown and the connection is closed:
// Attach again at the last ID received. It is [ErrNoGroup] if the group is gone, and
// [contract.ErrCursorMoved] if it gives entries at or below the last one received.
func (s *Shard) Read(ctx context.Context) (entries []contract.Entry, release func(), err error) {
	part, err := s.read(ctx)
	if err != nil {
		_ = s.Close()
		return nil, func() {}, fmt.Errorf("read %s: %w", s.key, err)
	}
	if part == nil {
		return nil, func() {}, nil
	}
	return part.entries, part.release, nil
}

func (s *Shard) read(ctx context.Context) (*chunk, error) {
	if s.conn == nil {
		return nil, errDetached
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	stop := s.conn.closeOn(ctx)
	defer stop()
	part, err := s.exchange()
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err == nil && part != nil {
		err = s.follow(part)
	}
	return part, gone(err)
}

// follow checks that the entries come after the last ones.
func (s *Shard) follow(part *chunk) error {
	first, last := part.entries[0].ID, part.entries[len(part.entries)-1].ID
	if first.Compare(s.delivered) <= 0 {
		err := fmt.Errorf("%w: it gave %s after %s", contract.ErrCursorMoved, first, s.delivered)
		part.release()
		return err
	}
	s.delivered = last
	return nil
}

// exchange asks for entries, unless a reply goes on, and takes a part of the
// reply.
func (s *Shard) exchange() (*chunk, error) {
	if !s.in.pending() {
		if err := s.ask(); err != nil {
			return nil, err
		}
	}
	part, err := s.in.next(readerWithin{s.conn, s.cfg.Block + s.cfg.Timeout})
	if err == nil && !s.in.pending() {
		s.adapt()
	}
	return part, err
}

func (s *Shard) ask() error {
	s.conn.out = appendCommand(s.conn.out[:0],
		"XREADGROUP", "GROUP", s.group, s.owner, "COUNT", strconv.Itoa(s.count),
		"BLOCK", strconv.FormatInt(s.cfg.Block.Milliseconds(), 10), "NOACK", "STREAMS", s.key, ">")
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.cfg.Timeout)); err != nil {
		return err
	}
	_, err := s.conn.Write(s.conn.out)
	return err
}

// adapt sets how many entries to ask for next: as many as fit a reply if they
// are like those of the last part, but not much more than came.
func (s *Shard) adapt() {
	if s.in.count == 0 {
		return
	}
	fit := max(maxReply*s.in.partCount/max(s.in.partSize, 1), 1)
	s.count = min(fit, max(4*s.in.count, firstCount), s.cfg.MaxCount)
}

// gone turns the server's words for a lost group into ErrNoGroup. UNBLOCKED is
// what a read that waits is told when its stream is deleted.
func gone(err error) error {
	var reply ReplyError
	if errors.As(err, &reply) && (reply.Code() == "NOGROUP" || reply.Code() == "UNBLOCKED") {
		return fmt.Errorf("%w (%s)", ErrNoGroup, strings.TrimSpace(string(reply)))
	}
	return err
}

// readerWithin gives every read its own deadline.
type readerWithin struct {
	*conn
	wait time.Duration
}

func (r readerWithin) Read(p []byte) (int, error) {
	if err := r.SetReadDeadline(time.Now().Add(r.wait)); err != nil {
		return 0, err
	}
	return r.conn.Read(p)
}
