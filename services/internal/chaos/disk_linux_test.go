package chaos_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestChaosDiskFull fills the warehouse's disk while events are ingested: commits are retried,
// the status has the reason, and when there is room nothing is missing.
func TestChaosDiskFull(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, staged bool) {
		dir := smallDisk(t)
		p := setup(t, setting{staged: staged, location: filepath.Join(dir, "estela.duckdb")})
		w := p.work()
		p.publish(1000)
		p.drain(w)
		ballast := filepath.Join(dir, "ballast")
		for range 3 {
			fill(t, ballast)
			stop := p.publishing(p.client, 500, 10*time.Millisecond)
			eventually(t, "the status says that the disk is full", func() bool {
				reason := w.Status()[0].Reason
				return strings.Contains(reason, "warehouse: ") && strings.Contains(strings.ToLower(reason), "no space left")
			})
			stop()
			must(t, os.Remove(ballast))
			p.drain(w)
			want(t, "reason with room again", w.Status()[0].Reason, "")
		}
		p.verify()
	})
}

// smallDisk mounts a file system of 32 MiB in memory, for which it needs root.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=32m"); err != nil {
		t.Fatalf("mount a small disk (run the tests as root): %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(dir, syscall.MNT_DETACH)) })
	return dir
}

// fill leaves no room on the disk of the file.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	must(t, err)
	defer f.Close()
	block := make([]byte, 4<<10)
	for {
		if _, err := f.Write(block); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

// diskFaults are what happens to the worker's disk.
func diskFaults() []fault {
	return []fault{{name: "disk full until given room", disk: smallDisk, happen: func(s *scene) {
		ballast := filepath.Join(s.dir, "ballast")
		fill(s.t, ballast)
		time.Sleep(outage)
		must(s.t, os.Remove(ballast))
	}}}
}
