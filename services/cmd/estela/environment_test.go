package main

import (
	"flag"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

var update = flag.Bool("update", false, "write the golden files again")

// The variables that the commands read are a promise to those who run the image; the
// infrastructure's tests hold theirs against this list.
func TestEnvironment(t *testing.T) {
	t.Parallel()
	parser, err := newParser(&cli{}, &streams{out: io.Discard, err: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	_ = kong.Visit(parser.Model, func(node kong.Visitable, next kong.Next) error {
		if f, ok := node.(*kong.Flag); ok {
			all = append(all, f.Envs...)
		}
		return next(nil)
	})
	all = append(all, "MOTHERDUCK_TOKEN", smokeToken, smokePostKey, apiKeyVariable, "ESTELA_OPS_TOKEN")
	slices.Sort(all)
	got := strings.Join(slices.Compact(all), "\n") + "\n"
	const file = "testdata/environment.txt"
	if *update {
		writeFile(t, file, got)
	}
	want, err := os.ReadFile(file)
	if err != nil || string(want) != got {
		t.Errorf("%v: %s lists other variables than\n%s: run go test ./cmd/estela -run TestEnvironment -update", err, file, got)
	}
}
