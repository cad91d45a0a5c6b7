package main

import (
	"context"
	"fmt"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/redisserver"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/worker"
)

// startingEngine is the pipeline of a process whose worker starts while reads are already answered. What
// needs the worker waits for it.
type startingEngine struct {
	core   *core
	ended  chan struct{} // closed when the start has ended: with the engine, or an error
	engine *engine
	err    error
	server *redisserver.Server // set when the start ends
}

func newStartingEngine(c *core) *startingEngine {
	return &startingEngine{core: c, ended: make(chan struct{})}
}

// start waits for Redis to load its data, connects to it and creates the engine. It is called once.
func (s *startingEngine) start(ctx context.Context, server *redisserver.Server, acceptLoss bool, end *cleanup) {
	defer close(s.ended)
	s.server = server
	s.engine, s.err = s.open(ctx, server, acceptLoss, end)
}

func (s *startingEngine) open(ctx context.Context, server *redisserver.Server, acceptLoss bool, end *cleanup) (*engine, error) {
	if err := server.Await(ctx); err != nil {
		return nil, err
	}
	client, err := s.core.g.openRedis(ctx, server.URL, s.core.log)
	if err != nil {
		return nil, err
	}
	end.add(client.Close)
	e, err := newEngine(ctx, s.core, client, acceptLoss)
	if err != nil {
		return nil, err
	}
	s.core.metrics.Gauges(e.shards)
	s.core.metrics.Redis(e.server)
	return e, nil
}

// await returns the engine once it has started.
func (s *startingEngine) await(ctx context.Context) (*engine, error) {
	select {
	case <-s.ended:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for the start of the worker: %w", ctx.Err())
	}
	return s.engine, s.err
}

// url returns that of Redis, empty before the start has ended.
func (s *startingEngine) url() string {
	select {
	case <-s.ended:
		return s.server.URL
	default:
		return ""
	}
}

// Unready implements operation.Pipeline.
func (s *startingEngine) Unready(ctx context.Context) []string {
	select {
	case <-s.ended:
		if s.err == nil {
			return s.engine.Unready(ctx)
		}
		return []string{s.err.Error()}
	default:
		return (&onDemand{s.core}).Unready(ctx)
	}
}

// Redis implements operation.Pipeline.
func (s *startingEngine) Redis(ctx context.Context) (*stream.Client, func(), error) {
	e, err := s.await(ctx)
	if err != nil {
		return nil, nil, err
	}
	return e.Redis(ctx)
}

// Worker implements operation.Pipeline.
func (s *startingEngine) Worker(ctx context.Context) (*worker.Worker, func() error, error) {
	e, err := s.await(ctx)
	if err != nil {
		return nil, nil, err
	}
	return e.Worker(ctx)
}

// Commit implements operation.Pipeline.
func (s *startingEngine) Commit(ctx context.Context, b *contract.Batch) error {
	e, err := s.await(ctx)
	if err != nil {
		return err
	}
	return e.Commit(ctx, b)
}
