package testlog_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/estela-dev/estela/ci/host/internal/testlog"
)

// script writes events the way go test does. A line "ACTION TEST OUTPUT" is an
// event of package p, "-" stands for no test.
func script(lines ...string) string {
	var b strings.Builder
	for _, line := range lines {
		f := strings.SplitN(line, " ", 3)
		e := map[string]string{"Action": f[0], "Package": "p"}
		if f[1] != "-" {
			e["Test"] = f[1]
		}
		if len(f) == 3 {
			e["Output"] = f[2] + "\n"
		}
		text, _ := json.Marshal(e)
		fmt.Fprintf(&b, "%s\n", text)
	}
	return b.String()
}

func read(t *testing.T, text string) (testlog.Counts, []testlog.Failure, string) {
	t.Helper()
	l := testlog.New()
	if _, err := fmt.Fprint(l, text); err != nil {
		t.Fatal(err)
	}
	failures, loose := l.Close()
	return l.Counts(), failures, loose
}

func TestLog(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text     string
		counts   testlog.Counts
		failures []testlog.Failure
	}{
		"a pass counts": {
			text:   script("start -", "run TestA", "output TestA hello", "pass TestA", "pass -"),
			counts: testlog.Counts{Passed: 1},
		},
		"sub-tests count, not what is above them": {
			text: script("run TestA", "run TestA/x", "run TestA/y", "pass TestA/x", "pass TestA/y",
				"pass TestA", "pass -"),
			counts: testlog.Counts{Passed: 2},
		},
		"a failed sub-test fails once": {
			text: script("run TestA", "output TestA === RUN   TestA", "run TestA/x",
				"output TestA/x boom", "fail TestA/x", "output TestA --- FAIL: TestA (0.00s)", "fail TestA",
				"output - FAIL", "fail -"),
			counts:   testlog.Counts{Failed: 1},
			failures: []testlog.Failure{{What: "p TestA/x", Why: testlog.WhyFailed, Output: "boom\n"}},
		},
		"a test that fails beside its sub-tests fails itself": {
			text: script("run TestA", "run TestA/x", "pass TestA/x", "output TestA boom", "fail TestA",
				"fail -"),
			counts:   testlog.Counts{Passed: 1, Failed: 1},
			failures: []testlog.Failure{{What: "p TestA", Why: testlog.WhyFailed, Output: "boom\n"}},
		},
		"a skip is a failure": {
			text: script("run TestA", "output TestA no redis-server", "skip TestA", "pass -"),
			counts: testlog.Counts{
				Skipped: 1,
			},
			failures: []testlog.Failure{
				{What: "p TestA", Why: testlog.WhySkipped, Output: "no redis-server\n"},
			},
		},
		"a package without test files is no skip": {
			text: script("output - ?   p [no test files]", "skip -"),
		},
		"a test that calls os.Exit did not finish": {
			text:   script("run TestA", "output TestA bye", "output - FAIL\tp\t0.1s", "fail -"),
			counts: testlog.Counts{Failed: 1},
			failures: []testlog.Failure{
				{What: "p TestA", Why: testlog.WhyUnfinished, Output: "bye\n"},
			},
		},
		"a log that is cut off": {
			text:   script("run TestA", "run TestA/x"),
			counts: testlog.Counts{Failed: 1},
			failures: []testlog.Failure{
				{What: "p TestA/x", Why: testlog.WhyUnfinished},
			},
		},
		"a leak found by TestMain": {
			text:   script("run TestA", "pass TestA", "output - PASS", "output - leaked goroutine", "fail -"),
			counts: testlog.Counts{Passed: 1, Failed: 1},
			failures: []testlog.Failure{
				{What: "p", Why: testlog.WhyPackage, Output: "PASS\nleaked goroutine\n"},
			},
		},
		"the order of a shuffled run": {
			text: script("output - -test.shuffle 42", "run TestA", "output TestA boom", "fail TestA",
				"output - exit status 1", "output - FAIL\tp\t0.1s", "fail -"),
			counts: testlog.Counts{Failed: 1},
			failures: []testlog.Failure{
				{What: "p TestA", Why: testlog.WhyFailed, Output: "    (run with -shuffle=42)\nboom\n"},
			},
		},
		"benchmarks": {
			text: script("run BenchmarkA", "output BenchmarkA BenchmarkA-2 \t1\t 210 ns/op",
				"run BenchmarkB", "run BenchmarkB/x", "output BenchmarkB/x BenchmarkB/x-2 \t1\t 9 rows/s",
				"run BenchmarkC", "output BenchmarkC oh", "fail BenchmarkC", "output - FAIL", "fail -"),
			counts:   testlog.Counts{Passed: 2, Failed: 1},
			failures: []testlog.Failure{{What: "p BenchmarkC", Why: testlog.WhyFailed, Output: "oh\n"}},
		},
		"benchmarks of a package that passes": {
			text:   script("run BenchmarkA", "output BenchmarkA BenchmarkA", "pass -"),
			counts: testlog.Counts{Passed: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			counts, failures, loose := read(t, c.text)
			if counts != c.counts {
				t.Errorf("counts %+v, want %+v", counts, c.counts)
			}
			if fmt.Sprintf("%q", failures) != fmt.Sprintf("%q", c.failures) {
				t.Errorf("failures\n%q\nwant\n%q", failures, c.failures)
			}
			if loose != "" {
				t.Errorf("loose: %q", loose)
			}
		})
	}
}

func TestBuildFailureIsPrintedOnce(t *testing.T) {
	t.Parallel()
	counts, failures, _ := read(t, `
{"ImportPath":"q","Action":"build-output","Output":"# q\n"}
{"ImportPath":"q","Action":"build-output","Output":"q.go:3: undefined: x\n"}
{"ImportPath":"q","Action":"build-fail"}
{"Action":"output","Package":"a","Output":"FAIL\ta [build failed]\n"}
{"Action":"fail","Package":"a","FailedBuild":"q"}
{"Action":"fail","Package":"b","FailedBuild":"q"}
`)
	if counts.Failed != 2 || len(failures) != 2 {
		t.Fatalf("counts %+v, failures %q", counts, failures)
	}
	want := testlog.Failure{What: "a", Why: testlog.WhyBuild, Output: "# q\nq.go:3: undefined: x\n"}
	if failures[0] != want {
		t.Errorf("first %q, want %q", failures[0], want)
	}
	if failures[1].What != "b" || failures[1].Output != "" {
		t.Errorf("second %q, want b without output", failures[1])
	}
}

func TestLinesThatAreNoEventsAreKept(t *testing.T) {
	t.Parallel()
	_, failures, loose := read(t, "go: cannot find module\n{\"not\": \"an event\"}\nno new line at the end")
	if want := "go: cannot find module\n{\"not\": \"an event\"}\nno new line at the end\n"; loose != want {
		t.Errorf("loose %q, want %q", loose, want)
	}
	if len(failures) != 0 {
		t.Errorf("failures %q", failures)
	}
}

func TestEventsArriveInPieces(t *testing.T) {
	t.Parallel()
	l := testlog.New()
	text := script("run TestA", "output TestA héllo", "fail TestA", "fail -")
	r := iotest.OneByteReader(strings.NewReader(text))
	for piece := make([]byte, 1); ; {
		if _, err := r.Read(piece); err != nil {
			break
		}
		_, _ = l.Write(piece)
	}
	failures, _ := l.Close()
	if len(failures) != 1 || failures[0].Output != "héllo\n" {
		t.Errorf("failures %q", failures)
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	t.Parallel()
	tail := testlog.NewTail(10)
	for i := range 100 {
		fmt.Fprintf(tail, "%02d", i)
	}
	if got, want := tail.String(), "[190 bytes before this are left out]\n9596979899"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	short := testlog.NewTail(10)
	fmt.Fprint(short, "short")
	if short.String() != "short" {
		t.Errorf("got %q", short.String())
	}
}

func FuzzLog(f *testing.F) {
	f.Add(script("run TestA", "output TestA x", "fail TestA", "fail -"))
	f.Add(script("skip -", "run BenchmarkA/x", "skip BenchmarkA/x"))
	f.Add("{\"Action\":\"build-fail\"}\nnot json\x00\xff")
	f.Fuzz(func(t *testing.T, text string) {
		l := testlog.New()
		_, _ = l.Write([]byte(text))
		failures, _ := l.Close()
		counts := l.Counts()
		if bad := counts.Failed + counts.Skipped; bad > 0 && len(failures) == 0 {
			t.Errorf("%d tests failed and none is named", bad)
		}
	})
}
