package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"github.com/estela-dev/estela/ci/host/internal/runner"
	"github.com/estela-dev/estela/ci/plan"
	"github.com/estela-dev/estela/ci/suite"
)

// The exit codes.
const (
	exitPassed      = 0
	exitFailed      = 1
	exitUsage       = 2
	exitInterrupted = 130
)

// defaultBase is where a change will go.
const defaultBase = "origin/main"

// Host is the machine as this program sees it.
type Host struct {
	// Checks is the plan.
	Checks []plan.Check
	// Look finds a program, as exec.LookPath does.
	Look           func(string) (string, error)
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	// Root says that the caller may do everything; sudo is used otherwise.
	Root bool
	// Policy is the file that a package's scripts ask whether they may start a daemon.
	Policy string
}

// Run does what the command line says and returns the exit code.
func Run(ctx context.Context, h Host, args []string) int {
	o, err := parse(args, h.Stdout)
	code := exitPassed
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitPassed
	case err != nil:
		code, err = exitUsage, fmt.Errorf("%w\n`go run ./ci/host --help` says more", err)
	case o.command == "list":
		list(h.Stdout, h.Checks)
	case o.command == "setup": // for an image in which the checks run later
		code, err = h.prepare(ctx, true, h.Checks)
	default:
		code, err = h.test(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(h.Stderr, err)
	}
	return code
}

// test runs the checks that were asked for.
func (h Host) test(ctx context.Context, o options) (int, error) {
	checks := h.Checks
	if o.command == "run" {
		var unknown []string
		if checks, unknown = plan.Select(checks, o.names...); len(unknown) > 0 {
			return exitUsage, fmt.Errorf("no check and no group %q: `go run ./ci/host list` says what there is", unknown)
		}
	}
	root, err := findRoot()
	if err != nil {
		return exitUsage, err
	}
	if code, err := h.prepare(ctx, o.setup, checks); err != nil {
		return code, err
	}
	base, err := h.base(ctx, root, o.base, checks)
	if err != nil {
		return exitUsage, err
	}
	began := time.Now()
	results := runner.Run(ctx, runner.Config{Root: root, Base: base, Jobs: o.jobs, FailFast: !o.keepGoing}, checks, h.Stdout)
	fmt.Fprintln(h.Stdout)
	passed := suite.Write(h.Stdout, results, time.Since(began))
	switch {
	case ctx.Err() != nil:
		return exitInterrupted, errors.New("interrupted")
	case !passed:
		return exitFailed, nil
	}
	return exitPassed, nil
}

// base finds the revision to compare with. One that was asked for must exist;
// the default one may be missing, as it is in a copy without a remote.
func (h Host) base(ctx context.Context, root, asked string, checks []plan.Check) (string, error) {
	if !slices.ContainsFunc(checks, func(c plan.Check) bool { return c.BaseFlag != "" }) {
		return "", nil
	}
	rev := cmp.Or(asked, defaultBase)
	git := exec.CommandContext(ctx, "git", "rev-parse", "--verify", "--quiet", "--end-of-options", rev+"^{commit}")
	git.Dir = root
	err := git.Run()
	if err == nil {
		return rev, nil
	}
	if asked != "" {
		return "", fmt.Errorf("--base %s: git knows no such revision in %s: %w", asked, root, err)
	}
	fmt.Fprintf(h.Stdout, "no revision %s here: contracts are checked, but compared with nothing (see --base)\n", rev)
	return "", nil
}

// findRoot looks for the repository above the working directory.
func findRoot() (string, error) {
	wd, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the working directory: %w", err)
	}
	for dir := wd; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.work")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("no go.work in or above %s: run this inside the repository", wd)
		}
	}
}
