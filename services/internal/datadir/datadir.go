// Package datadir manages the data directory: its run file, which names the process that uses
// it, and the paths of its sockets.
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

// Make creates the directory, readable by its owner only.
func Make(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make data directory (choose another with --data-dir): %w", err)
	}
	return nil
}

// Prepare creates the directory, or fails if a process uses it.
func Prepare(ctx context.Context, dir string) error {
	if err := Make(dir); err != nil {
		return err
	}
	running, err := Running(ctx, dir)
	if err == nil && running != nil {
		err = fmt.Errorf("estela runs in %s already, as process %d: stop it, or choose another --data-dir", dir, running.PID)
	}
	return err
}

// Process is the content of the run file: how other commands find the 'estela up' or worker
// that uses the directory.
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

// Running returns the process that uses the data directory; nil if none answers on its control
// socket.
func Running(ctx context.Context, dir string) (*Process, error) {
	p, err := ReadRunFile(dir)
	if p == nil || err != nil {
		return nil, err
	}
	dialer := net.Dialer{Timeout: time.Second}
	if conn, err := dialer.DialContext(ctx, "unix", p.Control); err == nil {
		return p, conn.Close()
	}
	return nil, nil //nolint:nilnil // it has ended without removing the file
}

// ReadRunFile returns the process in the run file, which is running or was killed; nil without
// a run file.
func ReadRunFile(dir string) (*Process, error) {
	text, err := os.ReadFile(runFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // no run file is a normal answer
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

// Register writes the run file; remove deletes it.
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

// maxSocketPath is the longest path of a Unix socket on all systems (104 bytes on macOS, 108 on
// Linux, with the terminating zero).
const maxSocketPath = 100

// Socket returns a path for a Unix socket: in the data directory or, where that would be too
// long, in a new private directory.
func Socket(dir, name string) (file string, remove func(), err error) {
	file, err = filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		return "", nil, fmt.Errorf("find data directory: %w", err)
	}
	if len(file) <= maxSocketPath {
		_ = os.Remove(file) // of a killed process
		return file, func() { _ = os.Remove(file) }, nil
	}
	own, err := os.MkdirTemp("", "estela-")
	if err != nil {
		return "", nil, fmt.Errorf("make directory for %s: %w", name, err)
	}
	return filepath.Join(own, name), func() { _ = os.RemoveAll(own) }, nil
}
