// Package redistest starts real Redis servers for tests, and proxies that break
// connections to them.
package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// startWithin bounds a start: on a busy machine even loading nothing takes time.
const startWithin = 20 * time.Second

// Server is a redis-server of one test, alone on its port and in its directory.
type Server struct {
	t        testing.TB
	dir      string
	addr     string
	password string
	args     []string

	mu      sync.Mutex
	cmd     *exec.Cmd
	waited  chan struct{}
	control *redis.Client
}

// Option changes how a server runs.
type Option func(*Server)

// WithAOF logs every write and syncs it before it is answered: what was
// acknowledged survives Kill.
func WithAOF() Option { return WithArgs("--appendonly", "yes", "--appendfsync", "always") }

// WithMaxMemory limits the memory, in bytes.
func WithMaxMemory(bytes int64) Option {
	return WithArgs("--maxmemory", strconv.FormatInt(bytes, 10))
}

// WithPolicy sets maxmemory-policy. Default: noeviction.
func WithPolicy(policy string) Option { return WithArgs("--maxmemory-policy", policy) }

// WithPassword demands a password.
func WithPassword(password string) Option {
	return func(s *Server) {
		s.password = password
		s.args = append(s.args, "--requirepass", password)
	}
}

// WithArgs adds arguments to redis-server's command line.
func WithArgs(args ...string) Option {
	return func(s *Server) { s.args = append(s.args, args...) }
}

// Start runs a server until the test ends. By default it keeps nothing on disk.
func Start(t testing.TB, options ...Option) *Server {
	t.Helper()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Fatal("redis-server is not on PATH, and these tests need a real one: run apt-get install redis-server")
	}
	s := &Server{t: t, dir: t.TempDir(), args: []string{"--save", ""}}
	for _, option := range options {
		option(s)
	}
	t.Cleanup(s.cleanUp)
	var err error
	for range 5 { // another process may take the port between our look and the server's
		s.addr = freeAddr(t)
		if err = s.launch(); err == nil {
			return s
		}
	}
	t.Fatalf("start redis-server: %v", err)
	return nil
}

// URL is where the server listens, with its password.
func (s *Server) URL() string {
	if s.password != "" {
		return "redis://:" + s.password + "@" + s.addr
	}
	return "redis://" + s.addr
}

// Addr is the server's host and port.
func (s *Server) Addr() string { return s.addr }

// Dir is where the server keeps its files.
func (s *Server) Dir() string { return s.dir }

// Pid is the running server's process; 0 if it is stopped.
func (s *Server) Pid() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return 0
	}
	return s.cmd.Process.Pid
}

// Do sends one command and returns its reply: a string, an int64, nil or a
// []any of these. An error reply fails the test.
func (s *Server) Do(args ...any) any {
	s.t.Helper()
	reply, err := s.Try(args...)
	if err != nil {
		s.t.Fatalf("redis: %v: %v", args, err)
	}
	return reply
}

// Try is Do with the error returned.
func (s *Server) Try(args ...any) (any, error) {
	s.mu.Lock()
	control := s.control
	s.mu.Unlock()
	if control == nil {
		return nil, errors.New("the server is stopped")
	}
	reply, err := control.Do(s.context(), args...).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return reply, err
}

// Kill ends the server with SIGKILL, as a crash would.
func (s *Server) Kill() {
	s.t.Helper()
	s.end(func(p *os.Process) error { return p.Kill() })
}

// Stop asks the server to shut down and waits for it.
func (s *Server) Stop() {
	s.t.Helper()
	s.end(func(p *os.Process) error { return p.Signal(os.Interrupt) })
}

// Restart ends the server with SIGKILL if it runs, and starts it again on the
// same port and directory.
func (s *Server) Restart() {
	s.t.Helper()
	s.Kill()
	var err error
	for range 5 {
		if err = s.launch(); err == nil {
			return
		}
		time.Sleep(200 * time.Millisecond)
	}
	s.t.Fatalf("restart redis-server on %s: %v", s.addr, err)
}

// context outlives the test's own, which ends before its clean-up.
func (s *Server) context() context.Context { return context.WithoutCancel(s.t.Context()) }

func (s *Server) launch() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		return err
	}
	args := append([]string{
		"--port", port, "--bind", "127.0.0.1", "--dir", s.dir, "--daemonize", "no",
		"--logfile", filepath.Join(s.dir, "redis.log"), "--maxmemory-policy", "noeviction",
	}, s.args...)
	s.cmd = exec.CommandContext(s.context(), "redis-server", args...)
	dieWithParent(s.cmd)
	s.waited = make(chan struct{})
	started := make(chan error, 1)
	go func(cmd *exec.Cmd, waited chan struct{}) {
		// Linux ends the child with the thread that started it, so the thread must stay.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // a killed server always ends with an error
			close(waited)
		}
	}(s.cmd, s.waited)
	if err := <-started; err != nil {
		s.cmd = nil
		return err
	}
	s.control = redis.NewClient(&redis.Options{
		Addr: s.addr, Password: s.password, Protocol: 2, DisableIdentity: true, MaxRetries: -1,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	if err := s.awaitReady(); err != nil {
		return errors.Join(err, s.endLocked((*os.Process).Kill))
	}
	return nil
}

// awaitReady waits until our process answers on the port: another one may have
// taken it.
func (s *Server) awaitReady() error {
	pid := strconv.Itoa(s.cmd.Process.Pid)
	for deadline := time.Now().Add(startWithin); time.Now().Before(deadline); {
		select {
		case <-s.waited:
			return fmt.Errorf("redis-server ended: %s", s.log())
		case <-time.After(10 * time.Millisecond):
		}
		info, err := s.control.Info(s.context()).Result()
		if err == nil && !strings.Contains(info, "process_id:"+pid+"\r\n") {
			return fmt.Errorf("another server answers on %s", s.addr)
		}
		if err == nil && strings.Contains(info, "\nloading:0\r\n") {
			return nil
		}
	}
	return fmt.Errorf("redis-server does not answer on %s within %s: %s", s.addr, startWithin, s.log())
}

func (s *Server) log() string {
	text, err := os.ReadFile(filepath.Join(s.dir, "redis.log"))
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-1000):])
}

func (s *Server) end(signal func(*os.Process) error) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.endLocked(signal); err != nil {
		s.t.Errorf("end redis-server: %v", err)
	}
}

func (s *Server) endLocked(signal func(*os.Process) error) error {
	if s.cmd == nil {
		return nil
	}
	err := s.control.Close()
	if failed := signal(s.cmd.Process); !errors.Is(failed, os.ErrProcessDone) {
		err = errors.Join(err, failed)
	}
	<-s.waited
	s.cmd, s.control = nil, nil
	return err
}

// cleanUp also continues a server that a test has stopped with SIGSTOP: SIGKILL
// does.
func (s *Server) cleanUp() { s.end((*os.Process).Kill) }

func freeAddr(t testing.TB) string {
	t.Helper()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("find a free port: %v", err)
	}
	defer func() { _ = listener.Close() }()
	return listener.Addr().String()
}
