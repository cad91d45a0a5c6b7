package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/estela-dev/estela/services/internal/stream"
)

// localRedis is the Redis that 'estela up' runs for itself.
type localRedis struct {
	url string
	// kind says which it is, for people.
	kind string
	// embedded: it lives in this process's memory and ends with it.
	embedded bool
	stop     func()
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
		url: "redis://" + m.Addr(), embedded: true,
		stop: func() {
			ticks.Stop()
			close(done)
			m.Close()
		},
		kind: "embedded (in memory: what is not yet committed ends with this process; install redis-server to keep it)",
	}, nil
}

// startServer listens on a Unix socket in the data directory only: nobody else
// on the machine can reach it.
func startServer(ctx context.Context, program, dataDir string, log *slog.Logger) (*localRedis, error) {
	dir, err := filepath.Abs(filepath.Join(dataDir, "redis"))
	if err != nil {
		return nil, fmt.Errorf("find data directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make Redis directory: %w", err)
	}
	socket, remove, err := socketPath(dataDir, "redis.sock")
	if err != nil {
		return nil, err
	}
	var output bytes.Buffer
	// It outlives the command's context: what is stored last still needs it.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), program, "--port", "0", "--unixsocket", socket, "--unixsocketperm", "700",
		"--dir", dir, "--appendonly", "yes", "--appendfsync", "everysec", "--save", "",
		"--maxmemory-policy", "noeviction", "--daemonize", "no", "--loglevel", "warning")
	cmd.Stdout, cmd.Stderr = &output, &output
	cmd.SysProcAttr = childAttributes()
	ended := make(chan struct{})
	started := make(chan error, 1)
	go func() {
		// The kernel ends the child when the thread that started it ends, so the
		// thread must stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // how it ended is in its output
			close(ended)
		}
	}()
	if err := <-started; err != nil {
		remove()
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	stop := func() {
		defer remove()
		_ = cmd.Process.Signal(syscall.SIGTERM) // flushes the append-only file
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			log.Warn("redis-server does not end, killing it", slog.Int("pid", cmd.Process.Pid))
			_ = cmd.Process.Kill()
			<-ended
		}
	}
	url := "unix://" + socket
	if err := awaitRedis(ctx, url, ended); err != nil {
		if !errors.Is(err, errRedisEnded) {
			stop()
		}
		remove()
		return nil, fmt.Errorf("start %s: %w: %s", program, err, strings.TrimSpace(output.String()))
	}
	return &localRedis{url: url, stop: stop, kind: program + ", append-only file in " + dir}, nil
}

var errRedisEnded = errors.New("it ended at once")

// awaitRedis waits until the server has loaded its data and answers.
func awaitRedis(ctx context.Context, url string, ended <-chan struct{}) error {
	for {
		client, err := stream.Open(ctx, stream.Config{URL: url})
		if err == nil {
			return client.Close()
		}
		select {
		case <-ended:
			return errRedisEnded
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}
