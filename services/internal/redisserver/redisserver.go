// Package redisserver runs a Redis for a pipeline on one machine: redis-server as a child process
// or, where that is not installed, an embedded server in this process's memory.
package redisserver

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"

	"github.com/estela-dev/estela/services/internal/datadir"
	"github.com/estela-dev/estela/services/internal/embeddedredis"
	"github.com/estela-dev/estela/services/internal/stream"
)

// Server is a Redis that this process runs, or a remote one.
type Server struct {
	// URL is its address. Kind describes it for people.
	URL, Kind string
	// Seal makes a server whose data is in this process's memory, and ends with it, refuse further events, so that
	// what it has can be stored before it stops. It is nil for any other.
	Seal func()

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
		return StartEmbedded(ctx, dataDir)
	}
	return startChild(ctx, program, dataDir, log)
}

// embeddedBytes is how much the streams of an embedded server may hold, beside what the worker and DuckDB
// take in the same process.
const embeddedBytes = 96 << 20

// StartEmbedded starts an empty server in this process's memory. As redis-server would, it listens on
// a Unix socket in the data directory only.
func StartEmbedded(ctx context.Context, dataDir string) (*Server, error) {
	socket, remove, err := datadir.Socket(dataDir, "redis.sock")
	if err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "unix", socket)
	if err == nil {
		err = os.Chmod(socket, 0o600)
	}
	if err != nil {
		remove()
		return nil, fmt.Errorf("listen for embedded Redis: %w", err)
	}
	m, err := embeddedredis.Serve(l, embeddedBytes)
	if err != nil {
		_ = l.Close()
		remove()
		return nil, err
	}
	return &Server{
		URL: "unix://" + socket, await: noChild, supervise: noChild, Seal: m.Seal,
		stop: func() {
			m.Close()
			remove()
		},
		Kind: "embedded, in memory: events that are not stored yet are lost if this process is killed; " +
			"install redis-server, or give --redis URL, to keep them on disk",
	}, nil
}
