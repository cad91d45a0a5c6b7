package chaos

import (
	"context"
	"sync"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/worker"
)

// Gate pauses a worker like a stopped process: while it is shut, every call through it blocks. The zero
// Gate is open.
type Gate struct {
	mu   sync.Mutex
	shut chan struct{}
}

// Shut blocks all calls.
func (g *Gate) Shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut == nil {
		g.shut = make(chan struct{})
	}
}

// Open lets all calls continue.
func (g *Gate) Open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		close(g.shut)
		g.shut = nil
	}
}

// Pass waits while the gate is shut.
func (g *Gate) Pass() {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		<-shut
	}
}

// Source wraps s: every call passes the gate before and after.
func (g *Gate) Source(s worker.Source) worker.Source { return &gatedSource{s, g} }

type gatedSource struct {
	source worker.Source
	gate   *Gate
}

func (s *gatedSource) pass() func() {
	s.gate.Pass()
	return s.gate.Pass
}

func (s *gatedSource) Acquire(ctx context.Context) (bool, error) {
	defer s.pass()()
	return s.source.Acquire(ctx)
}

func (s *gatedSource) Renew(ctx context.Context) (bool, error) {
	defer s.pass()()
	return s.source.Renew(ctx)
}

func (s *gatedSource) Release(ctx context.Context) error {
	defer s.pass()()
	return s.source.Release(ctx)
}

func (s *gatedSource) State(ctx context.Context) (event.StreamState, error) {
	defer s.pass()()
	return s.source.State(ctx)
}

func (s *gatedSource) Attach(ctx context.Context, epoch int64, after event.ID) (event.ID, error) {
	defer s.pass()()
	return s.source.Attach(ctx, epoch, after)
}

func (s *gatedSource) Read(ctx context.Context) (entries []event.Entry, release func(), err error) {
	defer s.pass()()
	return s.source.Read(ctx)
}

func (s *gatedSource) RaiseLastID(ctx context.Context, to event.ID) error {
	defer s.pass()()
	return s.source.RaiseLastID(ctx, to)
}

func (s *gatedSource) Trim(ctx context.Context, to event.ID) error {
	defer s.pass()()
	return s.source.Trim(ctx, to)
}

func (s *gatedSource) PublishPosition(ctx context.Context, at event.Position) error {
	defer s.pass()()
	return s.source.PublishPosition(ctx, at)
}

func (s *gatedSource) Close() error {
	defer s.pass()()
	return s.source.Close()
}
