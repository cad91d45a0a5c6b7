package stream

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/estela-dev/estela/services/internal/event"
)

// Trim removes the entries at or before the given ID, except those that a foreign consumer group
// still needs and those that KeepFor keeps. It writes the bound to trimmed_to before it removes
// any.
//
// It is [event.ErrCursorMoved] if the group of this reader is gone or is not at the ID yet:
// then this is not the stream that was read, and nothing is removed.
//
// The bound is exact (MINID =, not ~): whole nodes of the stream are removed at the same cost
// either way, and only one node is rewritten.
//
// It removes nothing from a foreign stream: its owner trims it.
func (s *Shard) Trim(ctx context.Context, to event.ID) error {
	if s.at.foreign {
		return nil
	}
	bound, err := s.trimBound(ctx, to)
	if err != nil {
		return fmt.Errorf("find trim bound of %s: %w", s.key, err)
	}
	if bound.Compare(s.trimmed) <= 0 {
		return nil
	}
	keys := []string{s.key, s.at.trimmedTo()}
	removed, err := s.client.eval(ctx, trimScript, keys, bound.String(), next(bound).String(), s.group).Int64()
	if err == nil && removed < 0 {
		err = event.ErrCursorMoved
	}
	if err != nil {
		return fmt.Errorf("trim %s to %s: %w", s.key, bound, err)
	}
	s.trimmed = bound
	return nil
}

func (s *Shard) trimBound(ctx context.Context, to event.ID) (event.ID, error) {
	foreign, group, err := s.foreignBound(ctx)
	if err != nil {
		return event.ID{}, err
	}
	bound := to
	if foreign.Compare(to) < 0 {
		bound = foreign
	} else {
		group = ""
	}
	s.warnBlocked(group, foreign)
	if s.cfg.KeepFor > 0 {
		return s.keepBound(ctx, bound)
	}
	return bound, nil
}

// trimBlocker is the foreign group that decides the trim bound.
type trimBlocker struct {
	group  string
	at     event.ID
	since  time.Time
	warned bool
}

// warnBlocked warns, once, of a group whose cursor doesn't advance while it blocks trim: if it
// isn't used any more, the stream fills the server.
func (s *Shard) warnBlocked(group string, at event.ID) {
	if group == "" || group != s.blocker.group || at != s.blocker.at {
		s.blocker = trimBlocker{group: group, at: at, since: time.Now()}
	}
	if group == "" || s.blocker.warned || time.Since(s.blocker.since) < s.cfg.WarnAfter {
		return
	}
	s.blocker.warned = true
	s.client.logger.Warn("consumer group is blocking trim",
		slog.String("stream", s.key), slog.String("group", group), slog.String("bound", at.String()),
		slog.String("hint", "if it isn't used any more: XGROUP DESTROY "+s.key+" "+group))
}

// foreignBound is the highest ID that every foreign group has consumed, and the group that
// decides it.
func (s *Shard) foreignBound(ctx context.Context) (event.ID, string, error) {
	lowest, holder := event.ID{MS: math.MaxUint64, Seq: math.MaxUint64}, ""
	groups, err := s.client.rdb.XInfoGroups(ctx, s.key).Result()
	if isNoKey(err) {
		return lowest, "", nil
	}
	if err != nil {
		return lowest, "", err
	}
	for _, group := range groups {
		if s.at.isOwnGroup(group.Name) {
			continue
		}
		bound, err := s.groupBound(ctx, group)
		if err != nil {
			return lowest, "", fmt.Errorf("group %s: %w", group.Name, err)
		}
		if bound.Compare(lowest) < 0 {
			lowest, holder = bound, group.Name
		}
	}
	return lowest, holder, nil
}

// groupBound is the lower of the group's cursor and the ID before its oldest
// pending entry.
func (s *Shard) groupBound(ctx context.Context, group redis.XInfoGroup) (event.ID, error) {
	bound, err := event.ParseID(group.LastDeliveredID)
	if err != nil || group.Pending == 0 {
		return bound, err
	}
	pending, err := s.client.rdb.XPending(ctx, s.key, group.Name).Result()
	if errors.Is(err, redis.Nil) || (err == nil && pending.Count == 0) {
		return bound, nil
	}
	if err != nil {
		return bound, err
	}
	oldest, err := event.ParseID(pending.Lower)
	if err == nil && previous(oldest).Compare(bound) < 0 {
		bound = previous(oldest)
	}
	return bound, err
}

// keepBound lowers the bound to what KeepFor keeps, unless the stream is above
// KeepMax or the server above half of its memory: what is kept must not block producers.
func (s *Shard) keepBound(ctx context.Context, bound event.ID) (event.ID, error) {
	now, err := s.client.rdb.Time(ctx).Result()
	if err != nil {
		return bound, err
	}
	keep := before(now.Add(-s.cfg.KeepFor))
	if s.cfg.KeepMax > 0 {
		state, err := s.client.streamInfo(ctx, s.key)
		if err != nil {
			return bound, err
		}
		fields, err := s.client.info(ctx)
		if err != nil {
			return bound, err
		}
		full := number(fields["maxmemory"]) > 0 && number(fields["used_memory"]) > number(fields["maxmemory"])/2
		if (full || state.Length > s.cfg.KeepMax) && state.First.Compare(bound) <= 0 {
			keep = event.Later(keep, middle(state.First, bound))
		}
	}
	if keep.Compare(bound) < 0 {
		return keep, nil
	}
	return bound, nil
}

// middle is halfway between two IDs in time; entries of one millisecond go
// together.
func middle(first, last event.ID) event.ID {
	return event.ID{MS: first.MS + (last.MS-first.MS)/2, Seq: math.MaxUint64}
}

func before(t time.Time) event.ID {
	return previous(event.ID{MS: uint64(max(t.UnixMilli(), 0))})
}

func next(id event.ID) event.ID {
	if id.Seq == math.MaxUint64 {
		return event.ID{MS: id.MS + 1}
	}
	return event.ID{MS: id.MS, Seq: id.Seq + 1}
}

func previous(id event.ID) event.ID {
	switch {
	case id.Seq > 0:
		return event.ID{MS: id.MS, Seq: id.Seq - 1}
	case id.MS > 0:
		return event.ID{MS: id.MS - 1, Seq: math.MaxUint64}
	default:
		return id
	}
}
