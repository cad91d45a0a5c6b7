package main

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

	"github.com/estela-dev/estela/services/internal/stream"
)

// runFile is what a running 'estela up' or worker leaves in its data directory
// for the commands started beside it.
type runFile struct {
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

func runFilePath(dataDir string) string { return filepath.Join(dataDir, "run.json") }

// readRunFile finds the process that runs on the data directory; nil when there
// is none that answers.
func readRunFile(ctx context.Context, dataDir string) (*runFile, error) {
	text, err := os.ReadFile(runFilePath(dataDir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // none is a normal answer
	}
	if err != nil {
		return nil, fmt.Errorf("read run file: %w", err)
	}
	var r runFile
	if err := json.Unmarshal(text, &r); err != nil {
		return nil, fmt.Errorf("read run file %s (remove it if nothing runs there): %w", runFilePath(dataDir), err)
	}
	dialer := net.Dialer{Timeout: time.Second}
	if conn, err := dialer.DialContext(ctx, "unix", r.Control); err == nil {
		return &r, conn.Close()
	}
	return nil, nil //nolint:nilnil // the process that wrote it is gone
}

// write replaces the run file; the returned function removes it.
func (r *runFile) write(dataDir string) (remove func(), err error) {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("encode run file: %w", err)
	}
	file := runFilePath(dataDir)
	if err := os.WriteFile(file+".new", append(text, '\n'), 0o600); err != nil {
		return nil, fmt.Errorf("write run file: %w", err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return nil, fmt.Errorf("write run file: %w", err)
	}
	return func() { _ = os.Remove(file) }, nil
}

// maxSocketPath is what a Unix socket's address holds on every system we know
// (104 bytes on macOS, 108 on Linux, less the end).
const maxSocketPath = 100

// socketPath is a path for a Unix socket in the data directory or, where that
// would be too long, in a new directory of its own that nobody else can enter.
func socketPath(dataDir, name string) (file string, remove func(), err error) {
	file, err = filepath.Abs(filepath.Join(dataDir, name))
	if err != nil {
		return "", nil, fmt.Errorf("find data directory: %w", err)
	}
	if len(file) <= maxSocketPath {
		_ = os.Remove(file) // one that a killed process left
		return file, func() { _ = os.Remove(file) }, nil
	}
	dir, err := os.MkdirTemp("", "estela-")
	if err != nil {
		return "", nil, fmt.Errorf("make directory for %s: %w", name, err)
	}
	return filepath.Join(dir, name), func() { _ = os.RemoveAll(dir) }, nil
}

// makeDataDir creates the data directory for its owner alone.
func (g *Globals) makeDataDir() error {
	if err := os.MkdirAll(g.DataDir, 0o700); err != nil {
		return fmt.Errorf("make data directory (choose another with --data-dir): %w", err)
	}
	return nil
}

// claimDataDir creates the data directory, unless a process runs on it.
func (g *Globals) claimDataDir(ctx context.Context) error {
	if err := g.makeDataDir(); err != nil {
		return err
	}
	running, err := readRunFile(ctx, g.DataDir)
	if err == nil && running != nil {
		err = fmt.Errorf("estela runs in %s already, as process %d: stop it, or choose another --data-dir", g.DataDir, running.PID)
	}
	return err
}

// withoutPassword is the URL as it may lie in a file, or nothing if it holds a
// password or what Redact leaves out: other commands then get their own --redis.
func withoutPassword(url string) string {
	if stream.Redact(url) != url {
		return ""
	}
	return url
}
