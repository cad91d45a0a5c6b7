package main_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// heldRedis returns a PATH with a redis-server that listens and does not respond before it is let go, as
// one that has much to load.
func heldRedis(t *testing.T) (path string, letGo func()) {
	t.Helper()
	program, err := exec.LookPath("redis-server")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	gone := filepath.Join(dir, "gone")
	script := fmt.Sprintf(`#!/bin/sh
'%s' "$@" &
pid=$!
trap 'kill -CONT $pid; kill $pid; wait $pid; exit' TERM
while [ ! -S "$4" ]; do :; done
kill -STOP $pid
while [ ! -e '%s' ]; do sleep 0.05; done
kill -CONT $pid
wait $pid
`, program, gone)
	if err := os.WriteFile(filepath.Join(dir, "redis-server"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	return dir + string(os.PathListSeparator) + os.Getenv("PATH"), func() {
		if err := os.WriteFile(gone, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestE2EReadyBeforeRedis starts 'up' on stored events while Redis is not there yet: it is ready and
// answers reads, can be stopped, and has 'publish' wait; then no event is stored twice.
func TestE2EReadyBeforeRedis(t *testing.T) {
	event := func(id string) string {
		return `{"sent_at":"2026-01-31T12:00:00Z","id":"` + id + `","source":"test"}` + "\n"
	}
	dir := t.TempDir()
	s := up(t, dir, "--no-sample")
	must(t, event("K3VQ5T2Y7M4R"), "publish", "canary", "--wait-stored", "--data-dir", dir)
	if code := s.interrupt(); code != 0 {
		t.Fatalf("Ctrl-C: exit %d", code)
	}

	path, letGo := heldRedis(t)
	t.Setenv("PATH", path)
	stored := func(id string) int { return len(s.read("/v1/canary/latest?id=" + id)) }
	s = up(t, dir, "--no-sample")
	if n := stored("K3VQ5T2Y7M4R"); n != 1 {
		t.Errorf("%d rows before Redis is there, want 1", n)
	}
	if code := s.interrupt(); code != 0 {
		t.Errorf("Ctrl-C before Redis is there: exit %d", code)
	}

	s = up(t, dir, "--no-sample")
	file := filepath.Join(t.TempDir(), "events.ndjson")
	if err := os.WriteFile(file, []byte(event("K3VQ5T2Y7M4R")+event("ZZZQ5T2Y7M4R")), 0o644); err != nil {
		t.Fatal(err)
	}
	publish := start(t, "publish", "canary", file, "--wait-stored", "--data-dir", dir)
	if body, err := get("http://" + s.ops + "/metrics"); err != nil {
		t.Errorf("metrics before Redis is there: %v %s", err, body)
	}
	letGo()
	if code := publish.wait(); code != 0 {
		t.Errorf("publish: exit %d", code)
	}
	for _, id := range []string{"K3VQ5T2Y7M4R", "ZZZQ5T2Y7M4R"} {
		if n := stored(id); n != 1 {
			t.Errorf("%d rows of %s, want 1", n, id)
		}
	}
	s.awaitReady()
}
