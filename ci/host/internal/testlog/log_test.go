package testlog_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

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

func read(t *testing.T, text string) (testlog.Counts, string) {
	t.Helper()
	var l testlog.Log
	if _, err := fmt.Fprint(&l, text); err != nil {
		t.Fatal(err)
	}
	printed := l.Close()
	return l.Counts(), printed
}

func TestLog(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text    string
		counts  testlog.Counts
		printed string
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
			counts:  testlog.Counts{Failed: 1},
			printed: "--- p TestA/x: failed\nboom\n",
		},
		"a test that fails beside its sub-tests fails itself": {
			text: script("run TestA", "run TestA/x", "pass TestA/x", "output TestA boom", "fail TestA",
				"fail -"),
			counts:  testlog.Counts{Passed: 1, Failed: 1},
			printed: "--- p TestA: failed\nboom\n",
		},
		"a skip is a failure": {
			text:    script("run TestA", "output TestA no redis-server", "skip TestA", "pass -"),
			counts:  testlog.Counts{Skipped: 1},
			printed: "--- p TestA: skipped, and a skipped test checks nothing\nno redis-server\n",
		},
		"a package without test files is no skip": {
			text: script("output - ?   p [no test files]", "skip -"),
		},
		"a test that calls os.Exit did not finish": {
			text:    script("run TestA", "output TestA bye", "output - FAIL\tp\t0.1s", "fail -"),
			counts:  testlog.Counts{Failed: 1},
			printed: "--- p: failed\nFAIL\tp\t0.1s\n--- p TestA: did not finish\nbye\n",
		},
		"a log that is cut off": {
			text:    script("run TestA", "run TestA/x"),
			counts:  testlog.Counts{Failed: 1},
			printed: "--- p TestA/x: did not finish\n",
		},
		"a leak found by TestMain": {
			text:    script("run TestA", "pass TestA", "output - PASS", "output - leaked goroutine", "fail -"),
			counts:  testlog.Counts{Passed: 1, Failed: 1},
			printed: "--- p: failed\nleaked goroutine\n",
		},
		"the order of a shuffled run": {
			text: script("output - -test.shuffle 42", "run TestA", "output TestA boom", "fail TestA",
				"output - exit status 1", "output - FAIL\tp\t0.1s", "fail -"),
			counts:  testlog.Counts{Failed: 1},
			printed: "--- p: failed\n-test.shuffle 42\nexit status 1\nFAIL\tp\t0.1s\n--- p TestA: failed\nboom\n",
		},
		"benchmarks": {
			text: script("run BenchmarkA", "output BenchmarkA BenchmarkA-2 \t1\t 210 ns/op",
				"run BenchmarkB", "run BenchmarkB/x", "output BenchmarkB/x BenchmarkB/x-2 \t1\t 9 rows/s",
				"run BenchmarkC", "output BenchmarkC oh", "fail BenchmarkC", "output - FAIL", "fail -"),
			counts:  testlog.Counts{Passed: 2, Failed: 1},
			printed: "--- p BenchmarkC: failed\noh\n",
		},
		"benchmarks of a package that passes": {
			text:   script("run BenchmarkA", "output BenchmarkA BenchmarkA", "pass -"),
			counts: testlog.Counts{Passed: 1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			counts, printed := read(t, c.text)
			if counts != c.counts {
				t.Errorf("counts %+v, want %+v", counts, c.counts)
			}
			if printed != c.printed {
				t.Errorf("printed\n%s\nwant\n%s", printed, c.printed)
			}
		})
	}
}

func TestBuildFailureIsPrintedOnce(t *testing.T) {
	t.Parallel()
	counts, printed := read(t, `
{"ImportPath":"q","Action":"build-output","Output":"# q\n"}
{"ImportPath":"q","Action":"build-output","Output":"q.go:3: undefined: x\n"}
{"ImportPath":"q","Action":"build-fail"}
{"Action":"output","Package":"a","Output":"FAIL\ta [build failed]\n"}
{"Action":"fail","Package":"a","FailedBuild":"q"}
{"Action":"fail","Package":"b","FailedBuild":"q"}
`)
	if want := (testlog.Counts{Failed: 2}); counts != want {
		t.Errorf("counts %+v, want %+v", counts, want)
	}
	if want := "# q\nq.go:3: undefined: x\n--- a: failed\nFAIL\ta [build failed]\n--- b: failed\n"; printed != want {
		t.Errorf("printed\n%s\nwant\n%s", printed, want)
	}
}

func TestLinesThatAreNoEventsAreKept(t *testing.T) {
	t.Parallel()
	_, printed := read(t, "go: cannot find module\n{\"not\": \"an event\"}\nno new line at the end")
	if want := "go: cannot find module\n{\"not\": \"an event\"}\nno new line at the end\n"; printed != want {
		t.Errorf("printed %q, want %q", printed, want)
	}
}

func TestEventsArriveInPieces(t *testing.T) {
	t.Parallel()
	var l testlog.Log
	text := script("run TestA", "output TestA héllo", "fail TestA", "fail -")
	for i := range len(text) {
		_, _ = l.Write([]byte(text[i : i+1]))
	}
	if printed := l.Close(); printed != "--- p TestA: failed\nhéllo\n" {
		t.Errorf("printed %q", printed)
	}
}

func TestTailKeepsTheEnd(t *testing.T) {
	t.Parallel()
	const written = 10 << 20
	var tail testlog.Tail
	for i := range written / 8 {
		fmt.Fprintf(&tail, "%07d\n", i)
	}
	note, kept, _ := strings.Cut(tail.String(), "\n")
	if !strings.HasSuffix(kept, fmt.Sprintf("\n%07d\n", written/8-1)) || len(kept) < 256<<10 || len(kept) > 512<<10 {
		t.Errorf("%d bytes are kept, which end in %q", len(kept), kept[max(0, len(kept)-20):])
	}
	if want := fmt.Sprintf("[%d bytes before this are left out]", written-len(kept)); note != want {
		t.Errorf("it says %q, want %q", note, want)
	}
	var short testlog.Tail
	fmt.Fprint(&short, "short")
	if short.String() != "short\n" {
		t.Errorf("got %q", short.String())
	}
}

func FuzzLog(f *testing.F) {
	f.Add(script("run TestA", "output TestA x", "fail TestA", "fail -"))
	f.Add(script("skip -", "run BenchmarkA/x", "skip BenchmarkA/x"))
	f.Add("{\"Action\":\"build-fail\"}\nnot json\x00\xff")
	f.Fuzz(func(t *testing.T, text string) {
		counts, printed := read(t, text)
		if bad := counts.Failed + counts.Skipped; bad > 0 && !strings.Contains(printed, "---") {
			t.Errorf("%d tests failed and none is named", bad)
		}
	})
}
