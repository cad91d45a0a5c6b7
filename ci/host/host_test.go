package main_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	host "github.com/estela-dev/estela/ci/host"
	"github.com/estela-dev/estela/ci/plan"
)

// result is what a person sees of a run.
type result struct {
	code           int
	stdout, stderr string
}

func (r result) last() string {
	lines := strings.Split(strings.TrimSuffix(r.stdout, "\n"), "\n")
	return lines[len(lines)-1]
}

// run runs the program with these checks in place of the plan's.
func run(ctx context.Context, checks []plan.Check, args ...string) result {
	var stdout, stderr bytes.Buffer
	code := host.Run(ctx, host.Host{
		Checks: checks,
		Look:   exec.LookPath,
		Stdout: &stdout,
		Stderr: &stderr,
	}, args)
	return result{code, stdout.String(), stderr.String()}
}

func shell(name, script string) plan.Check {
	return plan.Check{
		Name: name, Group: plan.Lint, Dir: ".", Doc: "about " + name,
		Command: []string{"sh", "-c", script}, Timeout: time.Minute,
	}
}

func TestEverythingPasses(t *testing.T) {
	t.Parallel()
	r := run(t.Context(), []plan.Check{shell("one", "echo quiet"), shell("two", "")}, "test")
	if r.code != 0 || r.last() != "2 passed, 0 failed" {
		t.Errorf("code %d, last line %q", r.code, r.last())
	}
	if strings.Contains(r.stdout, "quiet") {
		t.Errorf("the output of a check that passes is printed:\n%s", r.stdout)
	}
}

func TestAFailingCheckNamesItself(t *testing.T) {
	t.Parallel()
	r := run(t.Context(), []plan.Check{shell("one", "echo boom >&2; exit 7"), shell("two", "")}, "test")
	if r.code != 1 || r.last() != "1 passed, 1 failed" {
		t.Errorf("code %d, last line %q", r.code, r.last())
	}
	for _, want := range []string{"    | boom\n", "one did not pass: exit status 7\n"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("no %q in\n%s", want, r.stdout)
		}
	}
}

func TestASkipFails(t *testing.T) {
	t.Parallel()
	c := shell("unit", `printf '%s\n' '{"Action":"output","Package":"p","Test":"TestA","Output":"x_test.go:3: no redis\n"}' \
		'{"Action":"skip","Package":"p","Test":"TestA"}' '{"Action":"pass","Package":"p"}'`)
	c.Tests = true
	r := run(t.Context(), []plan.Check{c}, "test")
	if r.code != 1 || r.last() != "0 passed, 1 failed" {
		t.Errorf("code %d, last line %q", r.code, r.last())
	}
	if !strings.Contains(r.stdout, "x_test.go:3: no redis") {
		t.Errorf("the skip's reason is missing:\n%s", r.stdout)
	}
}

// The same with the real go test: what it prints is what the parser must know.
func TestARealGoTest(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("go.mod", "module p\n\ngo 1.26.0\n")
	write("p_test.go", `package p
import "testing"
func TestPass(t *testing.T) { t.Run("x", func(*testing.T) {}); t.Run("y", func(*testing.T) {}) }
func TestFail(t *testing.T) { t.Error("boom") }
func TestSkip(t *testing.T) { t.Skip("no redis") }
func BenchmarkPass(b *testing.B) { for b.Loop() {} }
`)
	c := shell("unit", "cd "+dir+" && GOWORK=off go test -json -bench . -benchtime 1x ./...")
	c.Tests = true
	// Benchmarks don't run where a test failed: three tests pass in this one.
	r := run(t.Context(), []plan.Check{c}, "test")
	if r.code != 1 || r.last() != "2 passed, 2 failed" {
		t.Errorf("code %d, last line %q", r.code, r.last())
	}
	c.Command[2] = strings.Replace(c.Command[2], "-bench .", "-run TestPass -bench .", 1)
	if r := run(t.Context(), []plan.Check{c}, "test"); r.code != 0 || r.last() != "3 passed, 0 failed" {
		t.Errorf("code %d, output\n%s", r.code, r.stdout)
	}
}

func TestRunChooses(t *testing.T) {
	t.Parallel()
	checks := []plan.Check{shell("one", "exit 1"), shell("two", "")}
	if r := run(t.Context(), checks, "run", "two"); r.code != 0 || r.last() != "1 passed, 0 failed" {
		t.Errorf("run two: code %d, last line %q", r.code, r.last())
	}
	if r := run(t.Context(), checks, "run", "lint"); r.code != 1 || r.last() != "1 passed, 1 failed" {
		t.Errorf("run lint: code %d, last line %q", r.code, r.last())
	}
}

func TestStopsAtTheFirstFailureOnRequest(t *testing.T) {
	t.Parallel()
	checks := []plan.Check{shell("one", "exit 1"), shell("two", "")}
	r := run(t.Context(), checks, "--jobs=1", "test", "--keep-going=false")
	if r.code != 1 || !strings.Contains(r.stdout, "two did not pass: not run") {
		t.Errorf("code %d, output\n%s", r.code, r.stdout)
	}
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	r := run(ctx, []plan.Check{shell("one", "sleep 60"), shell("two", "")}, "--jobs=1", "test")
	if r.code != 130 || !strings.Contains(r.stdout, "one did not pass: interrupted") {
		t.Errorf("code %d, output\n%s", r.code, r.stdout)
	}
}

func TestAMissingProgramNamesTheWayOut(t *testing.T) {
	t.Parallel()
	c := shell("unit", "")
	c.Needs = []plan.Need{{
		Name: "Redis", Programs: []string{"no-such-redis"}, Packages: []string{"redis-server"},
	}}
	r := run(t.Context(), []plan.Check{c}, "test")
	if r.code != 2 {
		t.Errorf("code %d", r.code)
	}
	for _, want := range []string{"no-such-redis", "redis-server", "unit", "--setup"} {
		if !strings.Contains(r.stderr, want) {
			t.Errorf("no %q in %q", want, r.stderr)
		}
	}
}

func TestWrongUsage(t *testing.T) {
	t.Parallel()
	checks := []plan.Check{shell("one", "")}
	for _, args := range [][]string{
		nil,
		{"--no-such-flag", "test"},
		{"nonsense"},
		{"run"},
		{"run", "nonsense"},
		{"test", "one"},
		{"list", "one"},
		{"--jobs=0", "test"},
		{"--jobs=x", "test"},
	} {
		r := run(t.Context(), checks, args...)
		if r.code != 2 || r.stderr == "" || r.stdout != "" {
			t.Errorf("%q: code %d, stdout %q, stderr %q", args, r.code, r.stdout, r.stderr)
		}
	}
}

func TestBaseMustExistIfAskedFor(t *testing.T) {
	t.Parallel()
	c := shell("contract", "exit 0")
	c.BaseFlag = "--against"
	r := run(t.Context(), []plan.Check{c}, "--base=no-such-revision", "test")
	if r.code != 2 || !strings.Contains(r.stderr, "no-such-revision") {
		t.Errorf("code %d, stderr %q", r.code, r.stderr)
	}
}

func TestHelpAndList(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"--help"}, {"-h"}, {"test", "--help"}} {
		r := run(t.Context(), nil, args...)
		if r.code != 0 || !strings.Contains(r.stdout, "-setup") || r.stderr != "" {
			t.Errorf("%q: %+v", args, r)
		}
	}
	r := run(t.Context(), plan.Checks(), "list")
	if r.code != 0 {
		t.Errorf("list: %+v", r)
	}
	for _, c := range plan.Checks() {
		if !strings.Contains(r.stdout, c.Name) || !strings.Contains(r.stdout, c.Doc) {
			t.Errorf("list does not say what %q is", c.Name)
		}
	}
}

// The program itself: a signal to it alone must end the checks and give 130.
func TestSignal(t *testing.T) {
	t.Parallel()
	program := filepath.Join(t.TempDir(), "host")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, ".").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	cmd := exec.CommandContext(t.Context(), program, "run", "vet")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := make([]byte, 1) // by then it knows what to do with a signal
	if _, err := stdout.Read(first); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	out, _ := io.ReadAll(stdout)
	err = cmd.Wait()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 130 {
		t.Errorf("after an interrupt: %v\n%s", err, out)
	}
}
