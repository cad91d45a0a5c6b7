// Package redisserver runs the Redis of a pipeline on one machine: a redis-server as a child of
// this process or, where that is not installed, an embedded server in its memory.
package redisserver

import (
	"context"
	"fmt"
	"log/slog"
	"os/exec"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/estela-dev/estela/services/internal/stream"
)

// Server is a Redis that runs for this process alone, or one elsewhere.
type Server struct {
	// URL is where it answers, Kind which it is, for people.
	URL, Kind string
	// Embedded says that it lives in this process's memory and ends with it.
	Embedded bool

	stop func()
	// supervise restarts it when it ends, until ctx does; an error says why it can't.
	supervise func(ctx context.Context) error
}

// Stop ends it, after all has been written to its append-only file.
func (s *Server) Stop() { s.stop() }

// Supervise restarts a redis-server, with its data, whenever it ends before ctx does. It
// returns an error when that is of no use.
func (s *Server) Supervise(ctx context.Context) error { return s.supervise(ctx) }

// Remote is a server that others run.
func Remote(url string) *Server {
	return &Server{URL: url, Kind: stream.Redact(url), stop: func() {}, supervise: unsupervised}
}

// unsupervised is for a Redis that is no process of ours.
func unsupervised(context.Context) error { return nil }

// Start starts redis-server from PATH with its append-only file in the
// data directory, or an embedded server where there is none.
func Start(ctx context.Context, dataDir string, log *slog.Logger) (*Server, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return StartEmbedded()
	}
	return startChild(ctx, program, dataDir, log)
}

// StartEmbedded starts a server in this process's memory, with nothing in it.
func StartEmbedded() (*Server, error) {
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		return nil, fmt.Errorf("start embedded Redis: %w", err)
	}
	// Its clock does not advance by itself, and leases would never expire.
	ticks, done := time.NewTicker(time.Second), make(chan struct{})
	go func() {
		for {
			select {
			case <-ticks.C:
				m.FastForward(time.Second)
			case <-done:
				return
			}
		}
	}()
	return &Server{
		URL: "redis://" + m.Addr(), Embedded: true, supervise: unsupervised,
		stop: func() {
			ticks.Stop()
			close(done)
			m.Close()
		},
		Kind: "embedded (in memory: what is not yet committed ends with this process; install redis-server to keep it)",
	}, nil
}
