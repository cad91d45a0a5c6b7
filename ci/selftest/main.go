// Command selftest proves the Dagger module from outside: it connects to an engine, serves the module,
// holds its functions against the committed bindings, and drives lint and build end to end. That the bindings have the
// documented functions, and help on each, is shown without an engine, by the tests of ci/plan.
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
	"maps"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"dagger.io/dagger"
)

func main() {
	root := flag.String("root", "..", "the repository")
	mirror := flag.String("mirror", "", "a registry that every image comes from")
	byTag := flag.Bool("by-tag", false, "ask for images by tag instead of by digest")
	flag.Parse() // what it can't read ends with 2
	if flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, *root, map[string]any{"mirror": *mirror, "byTag": *byTag})
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Fprintln(os.Stdout, "functions, lint and build are as they should be")
}

// run connects to an engine, makes the module's functions part of the client's schema, and looks at them.
func run(ctx context.Context, root string, flags map[string]any) (err error) {
	client, err := dagger.Connect(ctx, dagger.WithLogOutput(os.Stderr))
	if err != nil {
		return fmt.Errorf("connect to a Dagger engine: %w", err)
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	if root, err = filepath.Abs(root); err != nil {
		return err
	}
	module := client.ModuleSource(root).AsModule()
	if err := module.Serve(ctx); err != nil {
		return fmt.Errorf("serve the module: %w", err)
	}
	return errors.Join(functions(ctx, module, root), calls(ctx, client, flags))
}

// functions holds what the engine offers against what the bindings serve.
func functions(ctx context.Context, module *dagger.Module, root string) error {
	bindings, err := os.ReadFile(filepath.Join(root, "ci", "dagger.gen.go"))
	if err != nil {
		return err
	}
	served, found := map[string]bool{}, map[string]bool{}
	for _, method := range regexp.MustCompile(`\(\*Estela\)\.(\w+)\(`).FindAllSubmatch(bindings, -1) {
		served[strings.ToLower(string(method[1]))] = true
	}
	objects, err := module.Objects(ctx)
	for _, object := range objects {
		functions, functionsErr := object.AsObject().Functions(ctx)
		for _, f := range functions {
			name, nameErr := f.Name(ctx)
			found[strings.ToLower(name)] = true
			err = errors.Join(err, nameErr)
		}
		err = errors.Join(err, functionsErr)
	}
	if err == nil && !maps.Equal(served, found) {
		return fmt.Errorf("the engine offers the functions %v, the bindings serve %v", found, served)
	}
	return err
}

// calls runs the real lint of this very tree, makes the image and looks at it as its user would.
func calls(ctx context.Context, client *dagger.Client, flags map[string]any) error {
	var answer struct {
		Estela struct {
			Lint  string
			Build struct {
				User       string
				Entrypoint []string
				Label      string
				Exists     bool
				WithExec   struct{ Stdout string }
			}
		}
	}
	var errs []error
	for _, call := range []string{
		`lint`,
		`build(version: "v0.0.0-selftest") {
			user entrypoint label(name: "org.opencontainers.image.version") exists(path: "/bin/sh")
			withExec(args: ["version"], useEntrypoint: true) { stdout } }`,
	} {
		query := `query($mirror: String!, $byTag: Boolean!) { estela(mirror: $mirror, byTag: $byTag) { ` + call + ` } }`
		errs = append(errs, client.Do(ctx, &dagger.Request{Query: query, Variables: flags}, &dagger.Response{Data: &answer}))
	}
	image := answer.Estela.Build
	for what, well := range map[string]bool{
		"lint says nothing of golangci-lint: " + answer.Estela.Lint: strings.Contains(answer.Estela.Lint, "golangci-lint") &&
			strings.Contains(answer.Estela.Lint, " 0 failed"),
		"the image runs as " + image.User:                      image.User == "65532:65532",
		fmt.Sprintf("the entrypoint is %q", image.Entrypoint):  slices.Equal(image.Entrypoint, []string{"/usr/local/bin/estela"}),
		"the version label is " + image.Label:                  image.Label == "v0.0.0-selftest",
		"the image has a shell":                                !image.Exists,
		"`estela version` in it says " + image.WithExec.Stdout: strings.Contains(image.WithExec.Stdout, "estela v0.0.0-selftest\nDuckDB "),
	} {
		if !well {
			errs = append(errs, errors.New(what))
		}
	}
	return errors.Join(errs...)
}
