package redisserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
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

// child is a redis-server as a child process, with its append-only file in the data directory.
type child struct {
	program, dir, socket string
	log                  *slog.Logger

	cmd    *exec.Cmd
	output *bytes.Buffer // not to be read before it has exited
	exited chan struct{}
}

// startChild starts a redis-server that listens on a Unix socket in the data directory only, so
// that no other user of the machine can connect.
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
	return &Server{URL: r.url(), stop: stop, await: r.await, supervise: r.supervise, Kind: program + ", append-only file in " + dir}, nil
}

func (r *child) url() string { return "unix://" + r.socket }

// start returns when the server listens.
func (r *child) start(ctx context.Context) error {
	r.output, r.exited = new(bytes.Buffer), make(chan struct{})
	// It outlives the command's context: the last commits still need it.
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
			_ = r.cmd.Wait() // supervise reads its state and output
			close(r.exited)
		}
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start %s: %w", r.program, err)
	}
	return r.until(ctx, func() error {
		conn, err := (&net.Dialer{}).DialContext(ctx, "unix", r.socket)
		if err != nil {
			return err
		}
		return conn.Close()
	})
}

// await returns when the server responds.
func (r *child) await(ctx context.Context) error {
	return r.until(ctx, func() error {
		client, err := stream.Open(ctx, stream.Config{URL: r.url()})
		if err != nil {
			return err
		}
		return client.Close()
	})
}

// restart returns when the server responds again.
func (r *child) restart(ctx context.Context) error {
	if err := r.start(ctx); err != nil {
		return err
	}
	return r.await(ctx)
}

// stop terminates the server, which flushes the append-only file; after 10 s it is killed.
func (r *child) stop() {
	_ = r.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-r.exited:
	case <-time.After(10 * time.Second):
		r.log.Warn("redis-server did not stop, killing it", slog.Int("pid", r.cmd.Process.Pid))
		_ = r.cmd.Process.Kill()
		<-r.exited
	}
}

// lastOutput returns the last two lines of an exited server's output.
func (r *child) lastOutput() string {
	lines := strings.Split(strings.TrimSpace(r.output.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-2):], "; ")
}

// A server that exits more than maxRestarts times within restartsWithin is not restarted.
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
		case <-r.exited:
		}
		exit := fmt.Sprintf("%s (process %d) exited: %s", r.program, r.cmd.Process.Pid, r.cmd.ProcessState)
		if words := r.lastOutput(); words != "" {
			exit += ": " + words
		}
		restarts = append(restarts, time.Now())
		if n := len(restarts); n > maxRestarts && time.Since(restarts[n-1-maxRestarts]) < restartsWithin {
			return fmt.Errorf("%s; that was the %dth time within %s, so it is not restarted. "+
				"Check its data in %s, the memory and the disk", exit, maxRestarts+1, restartsWithin, r.dir)
		}
		r.log.Error("redis-server exited, restarting it with its data", slog.String("because", exit))
		if err := r.restart(ctx); err != nil && ctx.Err() == nil {
			return fmt.Errorf("%s, restart failed: %w", exit, err)
		} else if err == nil {
			r.log.Info("restarted redis-server", slog.Int("pid", r.cmd.Process.Pid))
		}
	}
}

var errExited = errors.New("it exited at once")

// until repeats try until it succeeds. It stops a server that is not awaited to the end.
func (r *child) until(ctx context.Context, try func() error) error {
	for try() != nil {
		var err error
		select {
		case <-r.exited:
			err = errExited
		case <-ctx.Done():
			err = ctx.Err()
		case <-time.After(5 * time.Millisecond):
			continue
		}
		r.stop()
		return fmt.Errorf("start %s: %w: %s", r.program, err, r.lastOutput())
	}
	return nil
}
