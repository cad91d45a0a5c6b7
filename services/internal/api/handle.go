package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/estela-dev/estela/services/internal/encode"
	"github.com/estela-dev/estela/services/internal/spool"
)

// endpoint answers a request for an endpoint: authorize, parse, cache, query, encode.
func (s *Server) endpoint(c *fiber.Ctx) error {
	k := s.catalog.Load()
	r, ok := k.routes[strings.TrimSuffix(c.Path(), "/")]
	if !ok {
		return s.missing(c, k)
	}
	c.Locals(labelKey, r.label)
	c.Append(fiber.HeaderVary, string(varyValue))
	if err := s.admit(c, r.reads...); err != nil {
		return err
	}
	q, err := r.negotiate(c)
	if err != nil {
		return err
	}
	now := time.Now()
	e, current := s.cached(r, q.key, now)
	switch {
	case current && e.ageing(r.Cache, now):
		s.refreshAhead(c.Context(), r, q, e)
	case !current: // only now is the rest of the query needed
		if q, err = r.parse(c.Context(), s.cfg.PageRows, q); err != nil {
			return err
		}
		if e, err = s.answer(c, r, q, e); err != nil {
			return err
		}
	}
	e.send(c.Context(), r, time.Now(), headerOf(c.Context(), fiber.HeaderIfNoneMatch))
	return nil
}

// cached is what the cache has under the key, nil if nothing, and whether that is to be given as
// it is.
func (s *Server) cached(r *route, key string, now time.Time) (e *entry, current bool) {
	e, ok := s.cache.GetIfPresent(key)
	return e, ok && e.current(r.Cache, now, s.queue)
}

// answer gets the answer to a request that the cache has none for, or an old one, which is
// given again if there is no room to make another. One query runs for all who ask the same at
// the time.
func (s *Server) answer(c *fiber.Ctx, r *route, q request, old *entry) (*entry, error) {
	ctx, end := context.WithCancelCause(c.UserContext())
	defer end(nil)
	ctx, cancel := context.WithTimeout(ctx, r.Limit.Time)
	defer cancel()
	defer s.hangups.watch(c.Context().Conn(), func() { end(errLeft) })()
	client := clientOf(c)
	if old == nil && !r.volatile {
		if e := s.unchanged(ctx, client, r, q, headerOf(c.Context(), fiber.HeaderIfNoneMatch)); e != nil {
			return e, nil
		}
	}
	if old != nil && old.refreshing.CompareAndSwap(false, true) {
		defer old.refreshing.Store(false)
	}
	e, err := s.shared(ctx, client, r, q, old)
	if err == nil {
		return e, nil
	}
	if errors.Is(context.Cause(ctx), errLeft) {
		c.Context().SetConnectionClose()
	}
	p := failed(ctx, err)
	busy := p.Status == http.StatusServiceUnavailable || p.Status == http.StatusInsufficientStorage
	if busy && old != nil && old.stale(r.Cache, time.Now()) {
		return old, nil
	}
	return nil, p
}

// shared is the answer of one query for all who ask the same at the time, in a turn of the
// client's.
func (s *Server) shared(ctx context.Context, client string, r *route, q request, old *entry) (*entry, error) {
	return s.flights.Do(ctx, client, q.key, r.Limit.Time, func(ctx context.Context) (*entry, error) {
		return s.refresh(ctx, client, r, q, old)
	})
}

// refreshAhead makes the next of an answer that will soon be too old, in the background of the
// requests that it is still given to: without that, all who ask for a popular one would wait
// together.
func (s *Server) refreshAhead(c *fasthttp.RequestCtx, r *route, q request, old *entry) {
	if !old.refreshing.CompareAndSwap(false, true) {
		return
	}
	q, err := r.parse(c, s.cfg.PageRows, q)
	if err != nil {
		return // it was answered once: this can't be
	}
	s.background.Go(func() {
		defer old.refreshing.Store(false)
		ctx, cancel := context.WithTimeout(s.life, r.Limit.Time)
		defer cancel()
		e, err := s.shared(ctx, ownClient, r, q, old)
		if err != nil {
			s.cfg.Logger.LogAttrs(ctx, slog.LevelDebug, "refresh ahead failed", slog.String("endpoint", r.label), slog.Any("error", err))
			return
		}
		e.Release()
	})
}

// unchanged is an answer without a body for a client that has the right one; nil
// if it hasn't. It spares large answers, which are not cached.
func (s *Server) unchanged(ctx context.Context, client string, r *route, q request, ifNoneMatch []byte) *entry {
	if len(ifNoneMatch) == 0 {
		return nil
	}
	turn, err := s.queue.Acquire(ctx, client)
	if err != nil {
		return nil
	}
	defer s.queue.Release(turn)
	at, err := s.cfg.Reader.Revision(ctx)
	if err != nil || !matches(ifNoneMatch, r.etag(q.key, sumOf(at))) {
		return nil
	}
	return newEntry(r, q, &spool.Body{}, encode.Meta{}, at, sumOf(at))
}

// refresh runs the query, unless nothing was committed since the old answer. What it
// writes to a file takes the client's room.
func (s *Server) refresh(ctx context.Context, client string, r *route, q request, old *entry) (*entry, error) {
	now := time.Now()
	if old != nil && !r.volatile {
		if at, err := s.cfg.Reader.Revision(ctx); err == nil && at.Revision == old.at.Revision && at.AsOf.Equal(old.at.AsOf) {
			old.seen.Store(now.UnixNano())
			return old, nil
		}
	}
	e, err := s.produce(ctx, client, r, q)
	if err != nil {
		return nil, err
	}
	e.seen.Store(now.UnixNano())
	if e.InMemory() {
		s.cache.Set(q.key, e)
	}
	return e, nil
}
