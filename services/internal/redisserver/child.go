package redisserver

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

	"github.com/estela-dev/estela/services/internal/datadir"
	"github.com/estela-dev/estela/services/internal/stream"
)

// child is a redis-server that is a child of this process, with its append-only file in
// the data directory.
type child struct {
	program, dir, socket string
	log                  *slog.Logger

	cmd    *exec.Cmd
	output *bytes.Buffer // to be read once it has ended
	ended  chan struct{}
}

// startChild listens on a Unix socket in the data directory only: nobody else
// on the machine can reach it.
func startChild(ctx context.Context, program, dataDir string, log *slog.Logger) (*Server, error) {
	dir, err := filepath.Abs(filepath.Join(dataDir, "redis"))
	if err != nil {
		return nil, fmt.Errorf("find data directory: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make Redis directory: %w", err)
	}
	socket, remove, err := datadir.Socket(dataDir, "redis.sock")
	if err != nil {
		return nil, err
	}
	r := &child{program: program, dir: dir, socket: socket, log: log}
	if err := r.start(ctx); err != nil {
		remove()
		return nil, err
	}
	stop := func() {
		defer remove()
		r.stop()
	}
	return &Server{URL: r.url(), stop: stop, supervise: r.supervise, Kind: program + ", append-only file in " + dir}, nil
}

func (r *child) url() string { return "unix://" + r.socket }

// start returns when the server has loaded its data and answers.
func (r *child) start(ctx context.Context) error {
	r.output, r.ended = new(bytes.Buffer), make(chan struct{})
	// It outlives the command's context: what is stored last still needs it.
	r.cmd = exec.CommandContext(context.WithoutCancel(ctx), r.program, "--port", "0", "--unixsocket", r.socket, "--unixsocketperm", "700",
		"--dir", r.dir, "--appendonly", "yes", "--appendfsync", "everysec", "--save", "",
		"--maxmemory-policy", "noeviction", "--daemonize", "no", "--loglevel", "warning")
	r.cmd.Stdout, r.cmd.Stderr = r.output, r.output
	r.cmd.SysProcAttr = childAttributes()
	started := make(chan error, 1)
	go func() {
		// The kernel ends the child when the thread that started it ends, so the
		// thread must stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := r.cmd.Start()
		started <- err
		if err == nil {
			_ = r.cmd.Wait() // how it ended is in its state and its output
			close(r.ended)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", r.program, err)
	}
	if err := awaitReady(ctx, r.url(), r.ended); err != nil {
		r.stop()
		return fmt.Errorf("start %s: %w: %s", r.program, err, r.lastWords())
	}
	return nil
}

// stop ends the server; it flushes the append-only file.
func (r *child) stop() {
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-r.ended:
	case <-time.After(10 * time.Second):
		r.log.Warn("redis-server did not stop, killing it", slog.Int("pid", r.cmd.Process.Pid))
		_ = r.cmd.Process.Kill()
		<-r.ended
	}
}

// lastWords are the last two lines that a server wrote that has ended.
func (r *child) lastWords() string {
	lines := strings.Split(strings.TrimSpace(r.output.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-2):], "; ")
}

// A server that ends more than maxRestarts times within restartsWithin is not started again.
const (
	maxRestarts    = 5
	restartsWithin = time.Minute
)

func (r *child) supervise(ctx context.Context) error {
	var restarts []time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-r.ended:
		}
		how := fmt.Sprintf("%s (process %d) ended: %s", r.program, r.cmd.Process.Pid, r.cmd.ProcessState)
		if words := r.lastWords(); words != "" {
			how += ": " + words
		}
		restarts = append(restarts, time.Now())
		if n := len(restarts); n > maxRestarts && time.Since(restarts[n-1-maxRestarts]) < restartsWithin {
			return fmt.Errorf("%s; that was the %dth time within %s, so it is not restarted. "+
				"Check its data in %s, the memory and the disk", how, maxRestarts+1, restartsWithin, r.dir)
		}
		r.log.Error("redis-server ended, restarting it with its data", slog.String("because", how))
		if err := r.start(ctx); err != nil && ctx.Err() == nil {
			return fmt.Errorf("%s, restart failed: %w", how, err)
		} else if err == nil {
			r.log.Info("restarted redis-server", slog.Int("pid", r.cmd.Process.Pid))
		}
	}
}

var errRedisEnded = errors.New("it ended at once")

// awaitReady waits until the server has loaded its data and answers.
func awaitReady(ctx context.Context, url string, ended <-chan struct{}) error {
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
