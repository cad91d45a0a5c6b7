package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/maypok86/otter/v2"

	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/queue"
	"github.com/estela-dev/estela/services/internal/spool"
)

// Server serves the endpoints of its datasets.
type Server struct {
	cfg         Config
	app         *fiber.App
	catalog     atomic.Pointer[catalog]
	cache       *otter.Cache[string, *entry]
	queue       *queue.Queue
	flights     *queue.Flights[*entry]
	disconnects *disconnects
	space       *spool.Space
	rateLimiter *rateLimiter
	vary        []byte // of endpoints
	reads       bool   // false if it takes events only

	// background ends with Shutdown, which waits for what runs in the background.
	background       context.Context //nolint:containedctx // the server's, not a request's
	cancelBackground context.CancelFunc
	tasks            sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil before Serve
	stopped  bool
}

// Check has the warehouse describe every endpoint, so that SQL that can't run fails the start;
// each error has its file and line.
func (s *Server) Check(ctx context.Context) error { return s.Load(ctx, s.cfg.Datasets) }

// Load replaces the served datasets if all endpoints can run; else nothing changes.
func (s *Server) Load(ctx context.Context, datasets []endpoint.Dataset) error {
	next, err := newCatalog(&s.cfg, datasets)
	if err != nil {
		return err
	}
	var errs []error
	for _, r := range next.ordered {
		_, err := r.describe(ctx)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return err
	}
	if err := next.buildDocuments(); err != nil { // again, now with the columns
		return err
	}
	s.catalog.Store(next)
	return nil
}

// Serve answers the listener's connections until Shutdown, and closes it. It
// returns at once if Shutdown came first.
func (s *Server) Serve(l net.Listener) error {
	once := &listener{Listener: l, writeTimeout: writeTimeout}
	s.mu.Lock()
	s.listener = once
	stopped := s.stopped
	s.mu.Unlock()
	if stopped {
		return once.Close()
	}
	if err := s.app.Listener(once); err != nil {
		return fmt.Errorf("serve API on %s: %w", l.Addr(), err)
	}
	return nil
}

// Shutdown stops listening and drains the requests in flight until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.stopped = true
	listener := s.listener
	s.mu.Unlock()
	defer s.tasks.Wait()
	defer s.cancelBackground()
	if listener == nil {
		return nil
	}
	// Fiber closes the listener only if Serve has got as far as accepting.
	if err := errors.Join(s.app.ShutdownWithContext(ctx), listener.Close()); err != nil {
		return fmt.Errorf("stop API: %w", err)
	}
	return nil
}

// TryResult is the outcome of Try for one endpoint.
type TryResult struct {
	Path string
	Rows int
	Took time.Duration
	Err  error
}

// Try runs every endpoint with the examples of its parameters and checks its plan, for
// 'estela endpoint check'. Unlike Check it fails for slow queries too.
func (s *Server) Try(ctx context.Context) []TryResult {
	k := s.catalog.Load()
	tried := make([]TryResult, len(k.ordered))
	for i, r := range k.ordered {
		start := time.Now()
		limit := r.Limit
		if len(r.Order) > 0 {
			limit.Rows = min(s.cfg.PageRows, limit.Rows)
		}
		rows, err := r.checker.Try(ctx, r.dataset, &r.Endpoint, limit)
		tried[i] = TryResult{r.path, rows, time.Since(start), err}
	}
	return tried
}
