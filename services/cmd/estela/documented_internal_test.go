package main

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// documents are those whose commands are tried; the check e2e is given them.
func documents() []string {
	return []string{
		"README.md", "README.es.md", ".github/CHALLENGE.md", ".github/CHALLENGE.es.md", ".github/CONTRIBUTING.md",
		"ci/README.md", "ci/README.es.md", "data/README.md", "data/README.es.md", "infra/README.md", "services/README.md",
	}
}

// documented are the commands of the documents' sh blocks.
func documented(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, file := range documents() {
		text, err := os.ReadFile(filepath.Join("../../..", file))
		if err != nil {
			t.Fatal(err)
		}
		inside := false
		for line := range strings.Lines(string(text)) {
			line, _, _ = strings.Cut(strings.TrimSpace(line), " #")
			switch {
			case strings.HasPrefix(line, "```"):
				inside = line == "```sh"
			case inside:
				all = append(all, strings.TrimSpace(line))
			}
		}
	}
	return all
}

// TestE2EDocumentedCommandLines parses every documented call of estela as the binary does: commands, arguments, flags.
func TestE2EDocumentedCommandLines(t *testing.T) {
	t.Parallel()
	tried := 0
	for _, line := range documented(t) {
		args, ok := strings.CutPrefix(strings.ReplaceAll(line, " --data data", " --data ../../../data"), "go run ./services/cmd/estela ")
		if !ok {
			if args, ok = strings.CutPrefix(line, "estela "); !ok {
				continue
			}
		}
		tried++
		var c cli
		parser, err := newParser(&c, &streams{out: io.Discard, err: io.Discard})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parser.Parse(strings.Fields(args)); err != nil {
			t.Errorf("%q: %v", line, err)
		}
	}
	if tried < 5 {
		t.Errorf("only %d calls of estela in the documents", tried)
	}
}
