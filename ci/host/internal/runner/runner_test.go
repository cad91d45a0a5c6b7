package runner_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/estela-dev/estela/ci/host/internal/runner"
	"github.com/estela-dev/estela/ci/plan"
	"github.com/estela-dev/estela/ci/suite"
)

// shell is a check that runs a script. The plan has none; tests may.
func shell(name, script string) plan.Check {
	return plan.Check{
		Name: name, Dir: ".", Command: []string{"sh", "-c", script}, Timeout: time.Minute,
	}
}

// goTest is a check that prints events.
func goTest(name, events string, code int) plan.Check {
	c := shell(name, "cat <<'EOF'\n"+events+"\nEOF\nexit "+strconv.Itoa(code))
	c.Tests = true
	return c
}

func run(t *testing.T, checks ...plan.Check) []suite.Result {
	t.Helper()
	return runner.Run(t.Context(), runner.Config{Root: t.TempDir()}, checks, io.Discard)
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	const (
		pass = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p"}`
		skip = `{"Action":"output","Package":"p","Test":"TestB","Output":"no redis-server\n"}
{"Action":"skip","Package":"p","Test":"TestB"}`
		fail = `{"Action":"output","Package":"p","Test":"TestC","Output":"boom\n"}
{"Action":"fail","Package":"p","Test":"TestC"}
{"Action":"fail","Package":"p"}`
	)
	for name, c := range map[string]struct {
		check          plan.Check
		outcome        suite.Outcome
		reason, detail string // the detail is part of the whole one
		passed, failed int
	}{
		"pass":       {shell("x", "echo hello"), suite.Passed, "", "", 1, 0},
		"exit code":  {shell("x", "echo out; echo err >&2; exit 3"), suite.Failed, "exit status 3", "out\nerr\n", 0, 1},
		"no program": {plan.Check{Name: "x", Command: []string{"no-such-program"}, Timeout: time.Minute}, suite.Failed, `exec: "no-such-program": executable file not found in $PATH`, "", 0, 1},
		"killed":     {shell("x", "kill -9 $$"), suite.Failed, "signal: killed", "", 0, 1},
		"tests pass": {goTest("x", pass, 0), suite.Passed, "", "", 1, 0},
		"skipped":    {goTest("x", skip+"\n"+pass, 0), suite.Failed, "1 test skipped", "no redis-server\n", 1, 1},
		"a test fails": {
			goTest("x", pass+"\n"+fail, 1), suite.Failed, "1 of 2 tests failed", "--- p TestC: failed\nboom\n", 1, 1,
		},
		"no test ran":    {goTest("x", `{"Action":"pass","Package":"p"}`, 0), suite.Failed, "no test ran", "", 0, 1},
		"no test loads":  {goTest("x", "pattern ./x: no such directory", 1), suite.Failed, "no test ran", "no such directory", 0, 1},
		"exit code only": {goTest("x", pass, 1), suite.Failed, "exit status 1", "", 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := run(t, c.check)[0]
			if r.Outcome != c.outcome || r.Reason != c.reason {
				t.Errorf("outcome %q (%s), want %q (%s)", r.Outcome, r.Reason, c.outcome, c.reason)
			}
			if !strings.Contains(r.Detail, c.detail) {
				t.Errorf("detail %q lacks %q", r.Detail, c.detail)
			}
			if r.Passed != c.passed || r.Failed != c.failed {
				t.Errorf("%d passed, %d failed, want %d and %d", r.Passed, r.Failed, c.passed, c.failed)
			}
		})
	}
}

func TestCommandSeesItsDirectoryAndItsEnvironment(t *testing.T) {
	t.Parallel()
	c := shell("x", `test "$(basename "$PWD")" = sub && test "$GOWORK" = off && test -n "$PATH" && ! read line`)
	c.Dir, c.Env = "sub", map[string]string{"GOWORK": "off"}
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	results := runner.Run(t.Context(), runner.Config{Root: root}, []plan.Check{c}, io.Discard)
	if results[0].Outcome != suite.Passed {
		t.Errorf("%+v", results[0])
	}
}

func TestBaseRevisionIsPassedOn(t *testing.T) {
	t.Parallel()
	c := shell("x", `test "$0 $1" = "--against main"`)
	c.BaseFlag = "--against"
	cfg := runner.Config{Root: t.TempDir(), Base: "main"}
	if r := runner.Run(t.Context(), cfg, []plan.Check{c}, io.Discard)[0]; r.Outcome != suite.Passed {
		t.Errorf("%+v", r)
	}
}

// family is a script that starts a child, writes its pid to a file and waits.
const family = `sleep 60 & echo $! > child.tmp && mv child.tmp child; wait`

// child waits for family to have its child.
func child(t *testing.T, root string) int {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		text, err := os.ReadFile(filepath.Join(root, "child"))
		if err == nil {
			pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
			if err != nil {
				t.Fatal(err)
			}
			return pid
		}
	}
	t.Fatal("the check did not start its child")
	return 0
}

func gone(pid int) bool {
	for range 400 {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) || zombie(pid) {
			return true
		}
		time.Sleep(5 * time.Millisecond)
	}
	return false
}

// zombie reports whether a process has ended and only its parent, in a
// container often a program that doesn't care, has not taken note.
func zombie(pid int) bool {
	text, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && strings.Contains(string(text), ") Z ")
}

func TestInterruptEndsTheWholeFamily(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	root := t.TempDir()
	pids := make(chan int, 1)
	go func() {
		pids <- child(t, root)
		cancel()
	}()
	checks := []plan.Check{shell("x", family), shell("y", "exit 0")}
	cfg := runner.Config{Root: root, Grace: 200 * time.Millisecond} // a shell's child ignores the interrupt
	results := runner.Run(ctx, cfg, checks, io.Discard)
	if results[0].Outcome != suite.Interrupted || results[1].Outcome != suite.NotRun {
		t.Errorf("outcomes %q and %q", results[0].Outcome, results[1].Outcome)
	}
	if pid := <-pids; !gone(pid) {
		t.Errorf("child %d lives on", pid)
	}
}

func TestTimeoutEndsTheWholeFamily(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	// It does not care about the interrupt, so that it must be killed.
	c := shell("x", "trap '' INT; "+family)
	c.Timeout = time.Second
	r := runner.Run(t.Context(), runner.Config{Root: root, Grace: 100 * time.Millisecond}, []plan.Check{c}, io.Discard)[0]
	if r.Outcome != suite.TimedOut || r.Reason != "not done after 1s" {
		t.Errorf("%q: %s", r.Outcome, r.Reason)
	}
	if pid := child(t, root); !gone(pid) {
		t.Errorf("child %d lives on", pid)
	}
}

func TestWhatACheckLeavesBehindIsKilled(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	c := shell("x", "sleep 60 >/dev/null 2>&1 & echo $! > child")
	r := runner.Run(t.Context(), runner.Config{Root: root}, []plan.Check{c}, io.Discard)[0]
	if r.Outcome != suite.Passed {
		t.Errorf("%q: %s", r.Outcome, r.Reason)
	}
	if pid := child(t, root); !gone(pid) {
		t.Errorf("child %d lives on", pid)
	}
}

func TestAfterWaitsForAFailedCheckToo(t *testing.T) {
	t.Parallel()
	second := shell("second", "exit 0")
	second.After = []string{"first"}
	results := run(t, shell("first", "exit 1"), second)
	if results[0].Outcome != suite.Failed || results[1].Outcome != suite.Passed {
		t.Errorf("outcomes %q and %q", results[0].Outcome, results[1].Outcome)
	}
}

func TestFailFast(t *testing.T) {
	t.Parallel()
	cfg := runner.Config{Root: t.TempDir(), Jobs: 2, FailFast: true}
	checks := []plan.Check{shell("bad", "exit 1"), shell("long", "sleep 60"), shell("late", "exit 0")}
	results := runner.Run(t.Context(), cfg, checks, io.Discard)
	want := []suite.Outcome{suite.Failed, suite.Interrupted, suite.NotRun}
	for i, r := range results {
		if r.Outcome != want[i] {
			t.Errorf("%s: %q, want %q", r.Name, r.Outcome, want[i])
		}
	}
}
