// Command selftest proves the Dagger module from outside: it connects to an engine, serves the module,
// holds its functions against the documented set, and drives lint and build end to end.
//
//	cd ci && go run ./selftest [--mirror registry.example/hub] [--by-tag]
//
// Exit codes: 0 all is well, 1 something is not, 2 wrong usage.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dagger.io/dagger"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the program.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	set := flag.NewFlagSet("selftest", flag.ContinueOnError)
	set.SetOutput(stderr)
	root := set.String("root", "..", "the repository")
	mirror := set.String("mirror", "", "a registry that every image comes from")
	byTag := set.Bool("by-tag", false, "ask for images by tag instead of by digest")
	if err := set.Parse(args); err != nil || set.NArg() > 0 {
		if errors.Is(err, flag.ErrHelp) {
			return 0
		}
		fmt.Fprintln(stderr, "usage: selftest [--root DIR] [--mirror PREFIX] [--by-tag]")
		return 2
	}
	client, err := dagger.Connect(ctx, dagger.WithLogOutput(stderr))
	if err != nil {
		fmt.Fprintf(stderr, "connect to a Dagger engine: %v\n", err)
		return 1
	}
	t := &test{client: client, out: stdout, root: *root, mirror: *mirror, byTag: *byTag}
	err = errors.Join(t.run(ctx), client.Close())
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

// test is one run against an engine.
type test struct {
	client       *dagger.Client
	out          io.Writer
	root, mirror string
	byTag        bool
}

// run does the parts in order; the ones after serve need it, but not each other.
func (t *test) run(ctx context.Context) error {
	module, err := t.serve(ctx)
	if err != nil {
		return fmt.Errorf("serve the module: %w", err)
	}
	var errs []error
	for _, part := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"functions", func(ctx context.Context) error { return t.functions(ctx, module) }},
		{"lint", t.lint},
		{"build", t.build},
	} {
		began := time.Now()
		err := part.do(ctx)
		outcome := "ok"
		if err != nil {
			outcome = "FAILED"
			errs = append(errs, fmt.Errorf("%s: %w", part.name, err))
		}
		fmt.Fprintf(t.out, "%-10s %s in %s\n", part.name, outcome, time.Since(began).Round(100*time.Millisecond))
	}
	return errors.Join(errs...)
}

// serve makes the module's functions part of the client's schema.
func (t *test) serve(ctx context.Context) (*dagger.Module, error) {
	root, err := filepath.Abs(t.root)
	if err != nil {
		return nil, err
	}
	module := t.client.ModuleSource(root).AsModule()
	return module, module.Serve(ctx)
}

// functions holds what the module offers against what is documented.
func (t *test) functions(ctx context.Context, module *dagger.Module) error {
	objects, err := module.Objects(ctx)
	if err != nil {
		return err
	}
	var found []string
	var errs []error
	for _, object := range objects {
		functions, err := object.AsObject().Functions(ctx)
		if err != nil {
			return err
		}
		for _, f := range functions {
			name, err := f.Name(ctx)
			if err != nil {
				return err
			}
			doc, err := f.Description(ctx)
			if err != nil {
				return err
			}
			if strings.TrimSpace(doc) == "" {
				errs = append(errs, fmt.Errorf("%s has no description", name))
			}
			found = append(found, strings.ToLower(name))
		}
	}
	return errors.Join(append(errs, compare(found, Documented()))...)
}

// compare names what only one side has.
func compare(found, documented []string) error {
	var errs []error
	for _, name := range documented {
		if !slices.Contains(found, name) {
			errs = append(errs, fmt.Errorf("%s is documented, the module has it not", name))
		}
	}
	for _, name := range found {
		if !slices.Contains(documented, name) {
			errs = append(errs, fmt.Errorf("%s is a function, but not documented", name))
		}
	}
	return errors.Join(errs...)
}

// ask queries the module's main object.
func (t *test) ask(ctx context.Context, query string, into any) error {
	return t.client.Do(ctx, &dagger.Request{
		Query:     `query($mirror: String!, $byTag: Boolean!) { estela(mirror: $mirror, byTag: $byTag) ` + query + ` }`,
		Variables: map[string]any{"mirror": t.mirror, "byTag": t.byTag},
	}, &dagger.Response{Data: into})
}

// lint runs the real lint of this very tree.
func (t *test) lint(ctx context.Context) error {
	var answer struct{ Estela struct{ Lint string } }
	if err := t.ask(ctx, `{ lint }`, &answer); err != nil {
		return err
	}
	if !strings.Contains(answer.Estela.Lint, "golangci-lint") || !strings.Contains(answer.Estela.Lint, " 0 failed") {
		return fmt.Errorf("it says nothing of golangci-lint: %q", answer.Estela.Lint)
	}
	return nil
}

// build makes the image and looks at it as its user would.
func (t *test) build(ctx context.Context) error {
	var answer struct {
		Estela struct {
			Build struct {
				User       string
				Entrypoint []string
				Label      string
				Exists     bool
				WithExec   struct{ Stdout string }
			}
		}
	}
	err := t.ask(ctx, `{ build(version: "v0.0.0-selftest") {
		user entrypoint label(name: "org.opencontainers.image.version") exists(path: "/bin/sh")
		withExec(args: ["version"], useEntrypoint: true) { stdout } } }`, &answer)
	if err != nil {
		return err
	}
	image := answer.Estela.Build
	switch {
	case image.User != "65532:65532":
		return fmt.Errorf("the image runs as %q", image.User)
	case !slices.Equal(image.Entrypoint, []string{"/usr/local/bin/estela"}):
		return fmt.Errorf("the image's entrypoint is %q", image.Entrypoint)
	case image.Label != "v0.0.0-selftest":
		return fmt.Errorf("the image's version label is %q", image.Label)
	case image.Exists:
		return errors.New("the image has a shell")
	case !strings.Contains(image.WithExec.Stdout, "estela v0.0.0-selftest\nDuckDB "):
		return fmt.Errorf("`estela version` in the image says %q", image.WithExec.Stdout)
	}
	return nil
}
