package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/event"
)

const (
	// firstCount is requested while the size of the entries is unknown.
	firstCount = 256
	// maxReply is the size that a reply should not exceed: it is built in the
	// server's memory.
	maxReply = 16 << 20
)

var errDetached = errors.New("no cursor: Attach first")

// Read returns the next entries, none after Block. A large reply is returned in several
// segments, one a call. The entries' bytes are valid until release is called; it may be called
// from any goroutine, once.
//
// After any error the group's cursor is unknown and the connection is closed: re-attach at the
// last ID received. The error is [ErrNoGroup] if the group is gone, and
// [event.ErrCursorMoved] for entries at or below the last one received.
func (s *Shard) Read(ctx context.Context) (entries []event.Entry, release func(), err error) {
	seg, err := s.read(ctx)
	if err != nil {
		_ = s.Close()
		return nil, func() {}, fmt.Errorf("read %s: %w", s.key, err)
	}
	if seg == nil {
		return nil, func() {}, nil
	}
	return seg.entries, seg.release, nil
}

func (s *Shard) read(ctx context.Context) (*segment, error) {
	if s.conn == nil {
		return nil, errDetached
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	stop := s.conn.closeOn(ctx)
	defer stop()
	seg, err := s.exchange()
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err == nil && seg != nil {
		err = s.checkOrder(seg)
	}
	return seg, asNoGroup(err)
}

// checkOrder checks that the entries are above the last ones.
func (s *Shard) checkOrder(seg *segment) error {
	first, last := seg.entries[0].ID, seg.entries[len(seg.entries)-1].ID
	if first.Compare(s.delivered) <= 0 {
		err := fmt.Errorf("%w: entry %s was delivered after %s", event.ErrCursorMoved, first, s.delivered)
		seg.release()
		return err
	}
	s.delivered = last
	return nil
}

// exchange requests entries, unless a reply is pending, and reads a segment of the reply.
func (s *Shard) exchange() (*segment, error) {
	if !s.in.pending() {
		if err := s.request(); err != nil {
			return nil, err
		}
	}
	seg, err := s.in.next(readerWithin{s.conn, s.cfg.Block + s.cfg.Timeout})
	if err == nil && !s.in.pending() {
		s.adapt()
	}
	return seg, err
}

func (s *Shard) request() error {
	s.conn.out = appendCommand(s.conn.out[:0],
		"XREADGROUP", "GROUP", s.group, s.owner, "COUNT", strconv.Itoa(s.count),
		"BLOCK", strconv.FormatInt(s.cfg.Block.Milliseconds(), 10), "NOACK", "STREAMS", s.key, ">")
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.cfg.Timeout)); err != nil {
		return err
	}
	_, err := s.conn.Write(s.conn.out)
	return err
}

// adapt sets how many entries to request next: as many as fit a reply at the size of those of
// the last segment, but not much more than were delivered.
func (s *Shard) adapt() {
	if s.in.count == 0 {
		return
	}
	fit := max(maxReply*s.in.segmentEntries/max(s.in.segmentBytes, 1), 1)
	s.count = min(fit, max(4*s.in.count, firstCount), s.cfg.MaxCount)
}

// asNoGroup maps the server's errors for a lost group to ErrNoGroup. UNBLOCKED is the reply to a
// blocked read whose stream is deleted.
func asNoGroup(err error) error {
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
