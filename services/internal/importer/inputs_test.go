package importer_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/importer"
)

var update = flag.Bool("update", false, "write what testdata/inputs is read as")

// TestInputs reads the small files of testdata/inputs, which are of the kinds that once changed,
// skipped or stopped without a word, without a mapping and with one that takes every column.
func TestInputs(t *testing.T) {
	t.Parallel()
	shape := shapeOf(t, `,"gauge":{"type":"string"},"height":{"type":"number"},"count":{"type":"integer"},"note":{"type":["string","null"]},"more":{"type":"string"},
		"station":{"type":"object","properties":{"opened":{"type":"string","format":"date-time"},"depth":{"type":"number"},"name":{"type":"string"}}}`)
	files, err := filepath.Glob("testdata/inputs/*")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	var b strings.Builder
	for _, path := range files {
		for _, cfg := range []importer.Config{{}, {Mapping: everything}, {Encoding: "latin1"}} {
			name := filepath.Base(path)
			if cfg.Encoding != "" && name != "latin1.csv" {
				continue
			}
			cfg.Path, cfg.Shape = path, shape
			b.WriteString("== " + name)
			if cfg.Mapping != "" {
				b.WriteString(", mapped")
			}
			if cfg.Encoding != "" {
				b.WriteString(", as " + cfg.Encoding)
			}
			b.WriteByte('\n')
			got, err := tryRead(t, cfg)
			for _, row := range got {
				b.WriteString(row + "\n")
			}
			if err != nil {
				b.WriteString("error: " + err.Error() + "\n")
			}
		}
	}
	const golden = "testdata/inputs.txt"
	if *update {
		if err := os.WriteFile(golden, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want := strings.Split(readFile(t, golden), "\n")
	for i, line := range strings.Split(b.String(), "\n") {
		if i >= len(want) || line != want[i] {
			t.Fatalf("line %d of %s\n got %s\nwant %s", i+1, golden, line, want[min(i, len(want)-1)])
		}
	}
	if n := strings.Count(b.String(), "\n"); n != len(want)-1 {
		t.Errorf("%d lines, want %d", n, len(want)-1)
	}
}
