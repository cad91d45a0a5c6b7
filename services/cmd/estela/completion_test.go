package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestComplete(t *testing.T) {
	t.Parallel()
	dir, _ := inside(t, thing)
	writeFile(t, filepath.Join(dir, "things", "endpoints", "all.sql"), "-- All.\nSELECT id FROM things LIMIT 1")
	for _, c := range []struct{ line, want string }{
		{"end", "endpoint"},
		{"help pub", "publish"},
		{"tra", ""}, // hidden
		{"endpoint ", "list new check test run"},
		{"--log-level warn endpoint n", "new"},
		{"endpoint run flights/de", "flights/delays flights/departures"},
		{"endpoint test delays can", "canary/latest"},
		{"endpoint run delays x", ""},
		{"publish ", "canary flights"},
		{"publish flights ", ""}, // a file
		{"publish --wait-stored fl", "flights"},
		{"publish --rate fl", ""}, // the flag's value
		{"publish --rate 5 fl", "flights"},
		{"publish --usage u", "usage"},
		{"publish u", ""},
		{"publish flights --form", "--format"},
		{"publish flights --format n", "ndjson"},
		{"publish flights --format=n", "--format=ndjson"},
		{"publish flights --format = n", "ndjson"}, // as bash splits it
		{"publish flights --format =", "auto csv tsv ndjson json parquet"},
		{"publish flights --nope=n", ""},
		{"warehouse claim canary f", "flights"},
		{"key new partner --read c", "canary"},
		{"completion ", "bash zsh fish"},
		{"publish --data " + dir + " ", "things"},
		{"publish --data=" + filepath.Join(dir, "things") + " ", "things"},
		{"endpoint run --data " + dir + " th", "things/all"},
		{"publish --data " + dir + "/none ", ""},
	} {
		code, out, errs := command(t, "", append([]string{"__complete"}, strings.Split(c.line, " ")...)...)
		var got []string
		for line := range strings.Lines(out) {
			text, _, _ := strings.Cut(line, "\t")
			got = append(got, text)
		}
		if code != 0 || !slices.Equal(got, strings.Fields(c.want)) {
			t.Errorf("%q: exit %d, %q, want %q\n%s", c.line, code, got, c.want, errs)
		}
	}
}
