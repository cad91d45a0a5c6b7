package prometheus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Memory is what the process holds, in bytes.
type Memory struct {
	Resident int64
	// Peak is the most since ForgetPeak.
	Peak int64
}

// Memory is Linux' own count of it.
func (s *Server) Memory() (m Memory, err error) {
	text, err := os.ReadFile(s.proc("status"))
	if err != nil {
		return m, fmt.Errorf("read the process' memory: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		kilobytes, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 10, 64) // the others aren't numbers
		switch name {
		case "VmRSS":
			m.Resident = kilobytes << 10
		case "VmHWM":
			m.Peak = kilobytes << 10
		}
	}
	return m, nil
}

// ForgetPeak has the peak begin at what is held now.
func (s *Server) ForgetPeak() error {
	if err := os.WriteFile(s.proc("clear_refs"), []byte("5"), 0o600); err != nil {
		return fmt.Errorf("forget the peak of memory: %w", err)
	}
	return nil
}

// Collect frees what nobody holds any more, so that what is measured next isn't what came before.
func (s *Server) Collect(ctx context.Context) error {
	_, err := s.send(ctx, http.MethodGet, "/debug/pprof/heap?gc=1", nil, nil)
	return err
}

func (s *Server) proc(name string) string {
	return filepath.Join("/proc", strconv.Itoa(s.process.Process.Pid), name)
}

// Active is the number of series that got a sample in the last hours: those in memory.
func (s *Server) Active(ctx context.Context) (int, error) {
	text, err := s.send(ctx, http.MethodGet, "/api/v1/status/tsdb", nil, nil)
	if err != nil {
		return 0, err
	}
	var answer struct {
		Data struct {
			HeadStats struct{ NumSeries int }
		}
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return 0, fmt.Errorf("read series: %w", err)
	}
	return answer.Data.HeadStats.NumSeries, nil
}

// Stored is what is kept.
type Stored struct{ Samples, Bytes int64 }

// Stored writes all that is kept, what is in memory too, as blocks beside the others, and weighs them.
func (s *Server) Stored(ctx context.Context) (all Stored, err error) {
	text, err := s.send(ctx, http.MethodPost, "/api/v1/admin/tsdb/snapshot", nil, nil)
	if err != nil {
		return all, err
	}
	var answer struct {
		Data struct{ Name string }
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return all, fmt.Errorf("read snapshot: %w", err)
	}
	dir := filepath.Join(s.file("data"), "snapshots", answer.Data.Name)
	err = filepath.Walk(dir, func(file string, info os.FileInfo, err error) error {
		if err != nil || info.IsDir() {
			return err
		}
		all.Bytes += info.Size()
		if info.Name() != "meta.json" {
			return nil
		}
		samples, err := samplesOf(file)
		all.Samples += samples
		return err
	})
	return all, errors.Join(err, os.RemoveAll(dir))
}

// samplesOf is how many a block holds.
func samplesOf(meta string) (int64, error) {
	text, err := os.ReadFile(meta)
	if err != nil {
		return 0, fmt.Errorf("read block: %w", err)
	}
	var block struct {
		Stats struct{ NumSamples int64 }
	}
	if err := json.Unmarshal(text, &block); err != nil {
		return 0, fmt.Errorf("read block %s: %w", meta, err)
	}
	return block.Stats.NumSamples, nil
}

// Delete takes the series that match away for good, from blocks too.
func (s *Server) Delete(ctx context.Context, match string) error {
	if _, err := s.send(ctx, http.MethodPost, "/api/v1/admin/tsdb/delete_series?match[]="+url.QueryEscape(match), nil, nil); err != nil {
		return err
	}
	_, err := s.send(ctx, http.MethodPost, "/api/v1/admin/tsdb/clean_tombstones", nil, nil)
	return err
}
