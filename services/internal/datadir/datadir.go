// Package datadir is the data directory: who runs on it, and the sockets in it.
package datadir

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"
)

// Make creates the directory for its owner alone.
func Make(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make data directory (choose another with --data-dir): %w", err)
	}
	return nil
}

// Claim creates the directory, unless a process runs on it.
func Claim(ctx context.Context, dir string) error {
	if err := Make(dir); err != nil {
		return err
	}
	running, err := Running(ctx, dir)
	if err == nil && running != nil {
		err = fmt.Errorf("estela runs in %s already, as process %d: stop it, or choose another --data-dir", dir, running.PID)
	}
	return err
}

// Process is what a running 'estela up' or worker leaves in its data directory
// for the commands started beside it.
type Process struct {
	PID int `json:"pid"`
	// Redis is the server's URL, without a password: a password comes from the
	// command's own --redis.
	Redis string `json:"redis,omitempty"`
	// Control is the Unix socket of the control interface.
	Control string `json:"control"`
	// API and Ops are the addresses of the listeners.
	API string `json:"api,omitempty"`
	Ops string `json:"ops,omitempty"`
}

func runFile(dir string) string { return filepath.Join(dir, "run.json") }

// Running finds the process that runs on the data directory; nil when there
// is none that answers.
func Running(ctx context.Context, dir string) (*Process, error) {
	p, err := Last(dir)
	if p == nil || err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: time.Second}
	if conn, err := dialer.DialContext(ctx, "unix", p.Control); err == nil {
		return p, conn.Close()
	}
	return nil, nil //nolint:nilnil // the process that wrote it is gone
}

// Last is the process that ran on the data directory and did not stop by itself, whether it
// still runs or not; nil when there is none.
func Last(dir string) (*Process, error) {
	text, err := os.ReadFile(runFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // none is a normal answer
	}
	if err != nil {
		return nil, fmt.Errorf("read run file: %w", err)
	}
	var p Process
	if err := json.Unmarshal(text, &p); err != nil {
		return nil, fmt.Errorf("read run file %s (remove it if nothing runs there): %w", runFile(dir), err)
	}
	return &p, nil
}

// Register lets others find the process by the directory; the returned function ends that.
func (p *Process) Register(dir string) (remove func() error, err error) {
	text, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode run file: %w", err)
	}
	file := runFile(dir)
	if err := os.WriteFile(file+".new", append(text, '\n'), 0o600); err != nil {
		return nil, fmt.Errorf("write run file: %w", err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return nil, fmt.Errorf("write run file: %w", err)
	}
	return func() error { _ = os.Remove(file); return nil }, nil
}

// maxSocketPath is what a Unix socket's address holds on every system we know
// (104 bytes on macOS, 108 on Linux, less the end).
const maxSocketPath = 100

// Socket is a path for a Unix socket in the data directory or, where that
// would be too long, in a new directory of its own that nobody else can enter.
func Socket(dir, name string) (file string, remove func(), err error) {
	file, err = filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		return "", nil, fmt.Errorf("find data directory: %w", err)
	}
	if len(file) <= maxSocketPath {
		_ = os.Remove(file) // one that a killed process left
		return file, func() { _ = os.Remove(file) }, nil
	}
	own, err := os.MkdirTemp("", "estela-")
	if err != nil {
		return "", nil, fmt.Errorf("make directory for %s: %w", name, err)
	}
	return filepath.Join(own, name), func() { _ = os.RemoveAll(own) }, nil
}
