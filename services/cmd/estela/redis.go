package main

import (
	"context"
	"fmt"
	"log/slog"
	"os/exec"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// localRedis is the Redis that 'estela up' runs for itself.
type localRedis struct {
	url string
	// kind says which it is, for people.
	kind string
	// embedded: it lives in this process's memory and ends with it.
	embedded bool
	stop     func()
	// keep starts it again when it ends, until ctx does; an error says why it can't.
	keep func(ctx context.Context) error
}

// startRedis starts redis-server from PATH with its append-only file in the
// data directory, or an embedded server where there is none.
func startRedis(ctx context.Context, dataDir string, log *slog.Logger) (*localRedis, error) {
	program, err := exec.LookPath("redis-server")
	if err != nil {
		return startEmbedded()
	}
	return startServer(ctx, program, dataDir, log)
}

// nothingToKeep is for a Redis that is no process of ours.
func nothingToKeep(context.Context) error { return nil }

func startEmbedded() (*localRedis, error) {
	m := miniredis.NewMiniRedis()
	if err := m.Start(); err != nil {
		return nil, fmt.Errorf("start embedded Redis: %w", err)
	}
	// Its clock stands still by itself, and leases would never expire.
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
	return &localRedis{
		url: "redis://" + m.Addr(), embedded: true, keep: nothingToKeep,
		stop: func() {
			ticks.Stop()
			close(done)
			m.Close()
		},
		kind: "embedded (in memory: what is not yet committed ends with this process; install redis-server to keep it)",
	}, nil
}
