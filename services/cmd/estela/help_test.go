package main

import (
	"io"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
)

// commands returns the commands that do something, without the hidden ones.
func commands(t *testing.T) []*kong.Node {
	t.Helper()
	parser, err := newParser(&cli{}, &streams{out: io.Discard, err: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	return parser.Model.Leaves(true)
}

// TestExamples: the help of every command begins with an example, which is one of that command.
func TestExamples(t *testing.T) {
	t.Parallel()
	all := commands(t)
	for _, n := range all {
		name := commandName(n)
		line, _, _ := strings.Cut(examples[name], " > ")
		args, ok := strings.CutPrefix(line, "estela ")
		if !ok {
			t.Errorf("%s has no example", name)
			continue
		}
		parser, err := newParser(&cli{}, &streams{out: io.Discard, err: io.Discard})
		if err != nil {
			t.Fatal(err)
		}
		// The examples are called at the root of the repository.
		ctx, err := parser.Parse(strings.Fields(strings.ReplaceAll(args, " data", " ../../../data")))
		if err != nil {
			t.Errorf("%s: %v", line, err)
		} else if got := commandName(ctx.Selected()); got != name {
			t.Errorf("%s is an example of %s, not of %s", line, got, name)
		}
		if _, out, _ := command(t, "", append(strings.Fields(name), "--help")...); !strings.HasPrefix(out, "Example:\n  "+examples[name]+"\n\nUsage: ") {
			t.Errorf("the help of %s begins otherwise:\n%s", name, out)
		}
	}
	if len(examples) != len(all) {
		t.Errorf("%d examples of %d commands", len(examples), len(all))
	}
	for _, group := range []string{"", "rejects"} {
		if _, out, _ := command(t, "", append(strings.Fields(group), "--help")...); !strings.HasPrefix(out, "Example:\n  estela "+group) {
			t.Errorf("the help of %q begins otherwise:\n%s", group, out)
		}
	}
}
