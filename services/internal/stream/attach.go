package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/estela-dev/estela/services/internal/event"
)

// Attach creates the group estela:EPOCH.N (estela:DATASET:EPOCH.N on a foreign stream) that reads after the given ID, N counting up, and
// destroys every older one, which also ends a read that still blocks on it. The reader
// reconnects.
//
// It returns the ID that is really read after: zero, where the stream has no cursor of this
// pipeline at the given one or beyond. Then the stream was replaced, or its cursor moved back,
// and entries at or below that ID may be other ones.
//
// If a group of a later epoch exists, it fails with [event.ErrFenced]; unless the caller
// owns the lease: then the group is a leftover of a warehouse that was restored or replaced
// since, and is destroyed too. A foreign stream must exist, or it fails with [event.ErrNoStream].
func (s *Shard) Attach(ctx context.Context, epoch int64, after event.ID) (from event.ID, err error) {
	_ = s.Close() // it may be broken, which is why this re-attaches
	s.n++
	s.trimmed = event.ID{}
	group := s.at.group(epoch, s.n)
	from, err = s.createGroup(ctx, epoch, group, after)
	if errors.Is(err, event.ErrNoStream) { // it is the same at each attempt, and is logged once
		return from, fmt.Errorf("attach to %s: %w", s.key, err)
	}
	if err != nil {
		return from, fmt.Errorf("create group %s of %s: %w", group, s.key, err)
	}
	conn, err := dial(ctx, s.client.dialing)
	if err != nil {
		return from, fmt.Errorf("connect to %s to read %s: %w", s.client.where, s.key, err)
	}
	s.conn, s.group, s.count, s.delivered = conn, group, firstCount, from
	return from, nil
}

func (s *Shard) createGroup(ctx context.Context, epoch int64, group string, after event.ID) (from event.ID, err error) {
	mode := attachOwn
	if s.at.foreign {
		mode = attachForeign
	}
	answer, err := s.client.eval(ctx, attachScript, []string{s.key, s.at.lease()},
		epoch, s.n, group, after.String(), s.token, s.at.groups, mode).Slice()
	if err != nil {
		return from, err
	}
	if len(answer) < 2 {
		return from, errProtocol
	}
	if answer[0] == int64(2) {
		return from, event.ErrNoStream
	}
	younger, _ := answer[1].(string)
	if answer[0] != int64(1) {
		return from, fmt.Errorf("group %s exists: %w", younger, event.ErrFenced)
	}
	if younger != "" {
		s.client.logger.Warn("destroyed consumer group of a later epoch, this worker owns the lease",
			slog.String("stream", s.key), slog.String("group", younger), slog.String("made", group),
			slog.String("hint", "expected once after the warehouse was restored or replaced; "+
				"if it repeats, two warehouses consume one stream"))
	}
	if len(answer) != 3 {
		return from, errProtocol
	}
	return from, setID(&from, answer[2])
}

// RaiseLastID raises the stream's last ID to at least the given one, and creates the stream if needed.
// It leaves a foreign stream as it is: until that has passed the given ID, the group's cursor is below
// it, so that each Attach at it rereads the stream.
func (s *Shard) RaiseLastID(ctx context.Context, to event.ID) error {
	if to.IsZero() || s.at.foreign {
		return nil
	}
	if err := s.client.eval(ctx, raiseLastIDScript, []string{s.key}, to.String()).Err(); err != nil {
		return fmt.Errorf("raise the last ID of %s to %s: %w", s.key, to, err)
	}
	return nil
}
