package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestWatchedFiles: the directory that is watched may have files that are none of a dataset, such as the
// data directory, which change all the time.
func TestWatchedFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	w := &watcher{core: &core{g: &Globals{Data: []string{dir}}}}
	for _, c := range []struct {
		file    string
		changes bool
	}{{"up.log", false}, {".estela/run.json", false}, {"orders/notes.txt", false}, {"orders/contract.json", true}, {"orders/endpoints/a.sql", true}, {"orders/reference/b.csv", true}} {
		before := w.fingerprint()
		file := filepath.Join(dir, c.file)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
		if got := w.fingerprint() != before; got != c.changes {
			t.Errorf("%s changes it: %t", c.file, got)
		}
	}
}
