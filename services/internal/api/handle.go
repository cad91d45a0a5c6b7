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

// serveEndpoint handles a request to an endpoint: authorize, parse, cache, query, encode.
func (s *Server) serveEndpoint(c *fiber.Ctx) error {
	k := s.catalog.Load()
	r, ok := k.routes[strings.TrimSuffix(c.Path(), "/")]
	if !ok {
		return s.serveNotFound(c, k)
	}
	c.Locals(labelKey, r.label)
	c.Append(fiber.HeaderVary, string(varyValue))
	if err := s.authorize(c, r.open); err != nil {
		return err
	}
	q, err := r.negotiate(c)
	if err != nil {
		return err
	}
	if q.format.describe != nil {
		return s.serveDescription(c, r, q)
	}
	now := time.Now()
	e, current := s.lookupCache(r, q.key, now)
	switch {
	case current && e.nearExpiry(r.Cache, now):
		s.refreshAhead(c.Context(), r, q, e)
	case !current: // only now is the rest of the query string needed
		if q, err = r.parse(c.Context(), s.cfg.PageRows, q); err != nil {
			return err
		}
		if e, err = s.resolve(c, r, q, e); err != nil {
			return err
		}
	}
	s.send(c, e, current)
	return nil
}

// send answers with the entry.
func (s *Server) send(c *fiber.Ctx, e *entry, cached bool) {
	for name, value := range e.head.All() {
		c.Response().Header.SetCanonical(name, value)
	}
	d := deliveryOf(c)
	d.Rows, d.Cached = e.rows, cached
	e.send(c.Context(), time.Now(), joinedHeader(c.Context(), fiber.HeaderIfNoneMatch), s.accountStream(d))
}

// lookupCache returns the cached answer, nil if there is none, and whether to serve it at once.
func (s *Server) lookupCache(r *route, key string, now time.Time) (e *entry, current bool) {
	e, ok := s.cache.GetIfPresent(key)
	return e, ok && e.servable(r.Cache, now, s.queue)
}

// resolve makes the answer to a request whose cached answer is missing or too old; the old one is
// served if the server is too busy. Concurrent equal requests share one query.
func (s *Server) resolve(c *fiber.Ctx, r *route, q request, old *entry) (*entry, error) {
	ctx, end := context.WithCancelCause(c.UserContext())
	defer end(nil)
	ctx, cancel := context.WithTimeout(ctx, r.Limit.Time)
	defer cancel()
	defer s.disconnects.watch(c.Context().Conn(), func() { end(errClientClosed) })()
	client := r.client(c)
	if old == nil && !r.volatile {
		if e := s.notModified(ctx, client, r, q, joinedHeader(c.Context(), fiber.HeaderIfNoneMatch)); e != nil {
			return e, nil
		}
	}
	if old != nil && old.refreshing.CompareAndSwap(false, true) {
		defer old.refreshing.Store(false)
	}
	e, err := s.querySingleflight(ctx, client, r, q, old)
	if err == nil {
		return e, nil
	}
	if errors.Is(context.Cause(ctx), errClientClosed) {
		c.Context().SetConnectionClose()
	}
	if fault := r.QueryError(err); r.adhoc && ctx.Err() == nil && fault != nil {
		return nil, sqlProblem(fault)
	}
	p := queryProblem(ctx, err)
	busy := p.Status == http.StatusServiceUnavailable || p.Status == http.StatusInsufficientStorage
	if busy && old != nil && old.servableStale(r.Cache, time.Now()) {
		return old, nil
	}
	return nil, p
}

// querySingleflight revalidates the answer once for all concurrent equal requests, in a turn of the
// client.
func (s *Server) querySingleflight(ctx context.Context, client string, r *route, q request, old *entry) (*entry, error) {
	return s.flights.Do(ctx, client, q.key, r.Limit.Time, func(ctx context.Context) (*entry, error) {
		return s.revalidate(ctx, client, r, q, old)
	})
}

// refreshAhead replaces an answer that is about to expire in the background, so that requests for
// a popular one never wait for its query.
func (s *Server) refreshAhead(c *fasthttp.RequestCtx, r *route, q request, old *entry) {
	if !old.refreshing.CompareAndSwap(false, true) {
		return
	}
	q, err := r.parse(c, s.cfg.PageRows, q)
	if err != nil {
		return // can't be: it was parsed when it was cached
	}
	s.tasks.Go(func() {
		defer old.refreshing.Store(false)
		ctx, cancel := context.WithTimeout(s.background, r.Limit.Time)
		defer cancel()
		e, err := s.querySingleflight(ctx, serverClient, r, q, old)
		if err != nil {
			s.cfg.Logger.LogAttrs(ctx, slog.LevelDebug, "refresh ahead failed", slog.String("endpoint", r.label), slog.Any("error", err))
			return
		}
		e.Release()
	})
}

// notModified returns an answer without a body if the client's ETag is current, else nil. It saves
// the query of large answers, which are not cached.
func (s *Server) notModified(ctx context.Context, client string, r *route, q request, ifNoneMatch []byte) *entry {
	if len(ifNoneMatch) == 0 {
		return nil
	}
	turn, err := s.queue.Acquire(ctx, client)
	if err != nil {
		return nil
	}
	defer s.queue.Release(turn)
	at, err := s.cfg.Reader.Revision(ctx)
	if err != nil || !etagMatches(ifNoneMatch, r.etag(q.key, snapshotHash(at))) {
		return nil
	}
	return newEntry(r, q, &spool.Body{}, encode.Meta{}, at, snapshotHash(at))
}

// revalidate runs the query, or returns the old answer if there was no commit since. A new answer
// counts for the client's quota.
func (s *Server) revalidate(ctx context.Context, client string, r *route, q request, old *entry) (*entry, error) {
	now := time.Now()
	if old != nil && !r.volatile {
		if at, err := s.cfg.Reader.Revision(ctx); err == nil && at.Revision == old.snapshot.Revision && at.AsOf.Equal(old.snapshot.AsOf) {
			old.validatedAt.Store(now.UnixNano())
			return old, nil
		}
	}
	e, err := s.query(ctx, client, r, q)
	if err != nil {
		return nil, err
	}
	e.validatedAt.Store(now.UnixNano())
	if e.InMemory() && !r.adhoc {
		s.cache.Set(q.key, e)
	}
	return e, nil
}
