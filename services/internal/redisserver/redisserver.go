// Package redisserver runs a Redis for a pipeline on one machine: redis-server as a child process
// or, where that is not installed, an embedded server in this process's memory.
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

// Server is a Redis that this process runs, or a remote one.
type Server struct {
	// URL is its address. Kind describes it for people.
	URL, Kind string
	// Embedded is true if its data is in this process's memory and ends with it.
	Embedded bool

	stop      func()
	await     func(ctx context.Context) error
	supervise func(ctx context.Context) error
}

// Await waits until the server responds, be it that it is still loading its data. An error says why it
// has exited.
func (s *Server) Await(ctx context.Context) error { return s.await(ctx) }

// Stop flushes the append-only file and stops the server; a remote one goes on.
func (s *Server) Stop() { s.stop() }

// Supervise restarts redis-server, with its data, whenever it exits before ctx ends. It returns
// an error if a restart fails or it keeps exiting.
func (s *Server) Supervise(ctx context.Context) error { return s.supervise(ctx) }

// Remote returns a server that others run.
func Remote(url string) *Server {
	return &Server{URL: url, Kind: stream.Redact(url), stop: func() {}, await: noChild, supervise: noChild}
}

// noChild is for a Redis that is not our child process.
func noChild(context.Context) error { return nil }

// Start starts redis-server from PATH with its append-only file in the data directory, or an
// embedded server if PATH has none. It listens then, and may not respond before much of its data is
// loaded: see Await.
func Start(ctx context.Context, dataDir string, log *slog.Logger) (*Server, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return StartEmbedded()
	}
	return startChild(ctx, program, dataDir, log)
}

// StartEmbedded starts an empty server in this process's memory.
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
		URL: "redis://" + m.Addr(), Embedded: true, await: noChild, supervise: noChild,
		stop: func() {
			ticks.Stop()
			close(done)
			m.Close()
		},
		Kind: "embedded (in memory: what is not yet committed ends with this process; install redis-server to keep it)",
	}, nil
}
