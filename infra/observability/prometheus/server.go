// Package prometheus starts Debian's Prometheus on loopback, feeds it and asks it.
package prometheus

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Server is a process of its own.
type Server struct {
	dir, address string
	process      *exec.Cmd
	stop         context.CancelFunc
	ended        chan struct{}
	log          bytes.Buffer // read once ended is closed
}

const config = "global: {evaluation_interval: %s}\nrule_files: [%s]\n"

// Start is a server whose data is in dir. It has no rules yet: what is written may be old, and rules write now, after
// which Prometheus takes nothing older than an hour. It ends with ctx or Stop.
func Start(ctx context.Context, dir string) (*Server, error) {
	program, err := exec.LookPath("prometheus")
	if err != nil {
		return nil, fmt.Errorf("find prometheus (run apt-get install prometheus): %w", err)
	}
	address, err := free(ctx)
	if err != nil {
		return nil, err
	}
	s := &Server{dir: dir, address: address, ended: make(chan struct{})}
	if err := s.configure("", time.Minute); err != nil {
		return nil, err
	}
	ctx, s.stop = context.WithCancel(ctx)
	s.process = exec.CommandContext(ctx, program, "--config.file", s.file("prometheus.yaml"), "--storage.tsdb.path", s.file("data"),
		"--web.listen-address", address, "--log.level", "warn", "--web.enable-lifecycle", "--web.enable-remote-write-receiver")
	s.process.Stderr = &s.log
	s.process.Cancel = func() error { return s.process.Process.Signal(syscall.SIGTERM) }
	s.process.WaitDelay = time.Minute
	if err := s.process.Start(); err != nil {
		s.stop()
		return nil, fmt.Errorf("start prometheus: %w", err)
	}
	go func() {
		_ = s.process.Wait() // it is told to end by a signal
		close(s.ended)
	}()
	if err := s.ready(ctx); err != nil {
		return nil, fmt.Errorf("wait for prometheus: %w\n%s", err, s.Stop())
	}
	return s, nil
}

// free is an address that nobody listens on yet.
func free(ctx context.Context) (string, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	return l.Addr().String(), l.Close()
}

func (s *Server) file(name string) string { return filepath.Join(s.dir, name) }

// configure writes the rules and what names them.
func (s *Server) configure(rules string, every time.Duration) error {
	files := map[string]string{"rules.yaml": rules, "prometheus.yaml": fmt.Sprintf(config, every, s.file("rules.yaml"))}
	for name, text := range files {
		if err := os.WriteFile(s.file(name), []byte(text), 0o600); err != nil {
			return fmt.Errorf("write configuration: %w", err)
		}
	}
	return nil
}

// ready waits until it answers.
func (s *Server) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		if _, err := s.send(ctx, http.MethodGet, "/-/ready", nil, nil); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.ended:
			return fmt.Errorf("it ended: %s", s.process.ProcessState)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// Stop ends the process, waits for it and gives what it said.
func (s *Server) Stop() (log string) {
	s.stop()
	<-s.ended
	return s.log.String()
}

// Rules has a file of rules evaluated at an interval in place of the file's own minute, so that nobody waits for one.
func (s *Server) Rules(ctx context.Context, rules string, every time.Duration) error {
	rules = strings.ReplaceAll(rules, "interval: 1m", "interval: "+every.String())
	if err := s.configure(rules, every); err != nil {
		return err
	}
	_, err := s.send(ctx, http.MethodPost, "/-/reload", nil, nil)
	return err
}
