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

// Server answers GET requests for the endpoints of its datasets.
type Server struct {
	cfg     Config
	app     *fiber.App
	catalog atomic.Pointer[catalog]
	cache   *otter.Cache[string, *entry]
	queue   *queue.Queue
	flights *queue.Flights[*entry]
	hangups *hangups
	space   *spool.Space
	rates   *rates

	// life ends with Shutdown, which waits for what runs in the background.
	life       context.Context //nolint:containedctx // the server's, not a request's
	end        context.CancelFunc
	background sync.WaitGroup

	mu       sync.Mutex
	listener net.Listener // nil before Serve
	stopped  bool
}

// Check asks the warehouse what each endpoint answers with, so that SQL which
// can't run is refused at the start, each error with its file and line.
func (s *Server) Check(ctx context.Context) error { return s.Load(ctx, s.cfg.Datasets) }

// Load puts the given datasets in the place of those that were served, if all of
// their endpoints can run; else nothing changes.
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
	if err := next.document(); err != nil { // again, for the columns are known now
		return err
	}
	s.catalog.Store(next)
	return nil
}

// Serve answers the listener's connections until Shutdown, and closes it. It
// returns at once if Shutdown came first.
func (s *Server) Serve(l net.Listener) error {
	once := &listener{Listener: l, stall: stallTimeout}
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

// Shutdown stops listening and waits for the requests under way, until ctx ends.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.stopped = true
	listener := s.listener
	s.mu.Unlock()
	defer s.background.Wait()
	defer s.end()
	if listener == nil {
		return nil
	}
	// Fiber closes the listener only if Serve has got as far as accepting.
	if err := errors.Join(s.app.ShutdownWithContext(ctx), listener.Close()); err != nil {
		return fmt.Errorf("stop API: %w", err)
	}
	return nil
}

// Tried is what came of trying an endpoint.
type Tried struct {
	Path string
	Rows int
	Took time.Duration
	Err  error
}

// Try runs every endpoint with the examples of its parameters and checks its
// plan, as 'estela endpoint check' reports it. It asks more than Check: what would
// only be slow is an error too.
func (s *Server) Try(ctx context.Context) []Tried {
	k := s.catalog.Load()
	tried := make([]Tried, len(k.ordered))
	for i, r := range k.ordered {
		start := time.Now()
		limit := r.Limit
		if len(r.Order) > 0 {
			limit.Rows = min(s.cfg.PageRows, limit.Rows)
		}
		rows, err := r.checker.Try(ctx, r.dataset, &r.Endpoint, limit)
		tried[i] = Tried{r.path, rows, time.Since(start), err}
	}
	return tried
}
