// Package testlog reads the events of `go test -json` while they are written,
// counts the tests, and keeps what is worth printing: the output of tests that
// failed, and of those that were skipped, for a skip is a failure here. A test
// that checks nothing prints "ok" all the same, and nobody reads that.
//
// A test is counted where it ends: one with sub-tests counts through them, and
// by itself only if it failed although none of them did. A package counts in the
// same way: it fails by itself when it does not build, or leaks. A benchmark that
// passes has no event of its own: it counts when its package has passed, or when
// its figures were printed.
//
// gotestsum does not do: it takes a benchmark that passes for a failure, and a skipped
// test, or a run without any, for a success.
package testlog

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// Counts says how many tests ended, and how.
type Counts struct{ Passed, Failed, Skipped int }

// Run is the number of tests that ran at all.
func (c Counts) Run() int { return c.Passed + c.Failed + c.Skipped }

// Log is written the output of `go test -json`. Its methods may be called from
// several goroutines. The zero value is an empty log.
type Log struct {
	mu      sync.Mutex
	partial []byte
	loose   Tail // lines that are no events, and what builds print
	tests   []*test
	byName  map[[2]string]*test // with its package
}

// test is a test or, without a name, the package above its tests.
type test struct {
	pkg, name string
	above     *test // the one that a sub-test belongs to; for any other, its package
	output    Tail
	end       string
	parent    bool // it has sub-tests
	subFailed bool // one of them failed
}

// How a test ended; empty while it runs.
const (
	passed     = "passed"
	failed     = "failed"
	skipped    = "skipped, and a skipped test checks nothing"
	unfinished = "did not finish"
)

var (
	ends = map[string]string{"pass": passed, "fail": failed, "skip": skipped}
	// frame are lines that say what the order of events says too.
	frame = regexp.MustCompile(`^(=== |\s*--- (FAIL|PASS|SKIP|BENCH): |(FAIL|PASS)\n?$)`)
	// figures is a benchmark's result: its name, how often it ran, what it took.
	figures = regexp.MustCompile(`(?m)^Benchmark\S*\s+\d+\t`)
)

// Write takes whole lines from p and keeps the rest for the next call. It never
// fails: a line that is no event is kept as it is.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.partial = append(l.partial, p...)
	for {
		line, rest, found := bytes.Cut(l.partial, []byte("\n"))
		if !found {
			return len(p), nil
		}
		l.line(line)
		l.partial = rest
	}
}

// Counts is how it stands now.
func (l *Log) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	var c Counts
	for _, t := range l.tests {
		switch {
		case t.bad() && !t.subFailed:
			c.Failed++
		case t.name == "": // a package without test files is no test skipped
		case t.end == skipped:
			c.Skipped++
		case t.end == passed && !t.parent:
			c.Passed++
		}
	}
	return c
}

// Close ends the log: what still runs did not finish. It returns what there is to
// read: the lines that were no events, for a package that does not load explains why
// its tests never ran, and what failed or was skipped.
func (l *Log) Close() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line(l.partial)
	l.partial = nil
	for _, t := range l.tests {
		if t.name == "" && t.end == "" {
			l.end(t, failed)
		}
	}
	var b strings.Builder
	b.WriteString(l.loose.String())
	slices.SortStableFunc(l.tests, func(a, b *test) int { return strings.Compare(a.pkg, b.pkg) })
	for _, t := range l.tests {
		output := t.output.String()
		// What its sub-tests said is all there is to say of a test that printed nothing.
		if t.bad() && (output != "" || !t.subFailed) || t.end == skipped && t.name != "" {
			fmt.Fprintf(&b, "--- %s: %s\n%s", strings.TrimSpace(t.pkg+" "+t.name), t.end, output)
		}
	}
	return b.String()
}

// line reads an event; go doc test2json describes it.
func (l *Log) line(line []byte) {
	var e struct{ Action, Package, Test, Output string }
	switch {
	case json.Unmarshal(line, &e) != nil || e.Action == "":
		if len(bytes.TrimSpace(line)) > 0 {
			fmt.Fprintf(&l.loose, "%s\n", line)
		}
		return
	case e.Package == "": // a build's: printed once, though it fails all packages that need it
		fmt.Fprint(&l.loose, e.Output)
		return
	}
	t := l.at(e.Package, e.Test)
	if e.Action == "output" && !frame.MatchString(e.Output) {
		fmt.Fprint(&t.output, e.Output)
	}
	if end := ends[e.Action]; end != "" {
		l.end(t, end)
	}
}

// at is the test of this name, which may begin with it.
func (l *Log) at(pkg, name string) *test {
	key := [2]string{pkg, name}
	if t := l.byName[key]; t != nil {
		return t
	}
	t := &test{pkg: pkg, name: name}
	if name != "" {
		t.above = l.at(pkg, name[:max(0, strings.LastIndexByte(name, '/'))])
		t.above.parent = true
	}
	if l.byName == nil {
		l.byName = map[[2]string]*test{}
	}
	l.byName[key] = t
	l.tests = append(l.tests, t)
	return t
}

// end ends a test and, with a package, its tests that had no end of their own: first those that began
// last, for a sub-test counts and not what is above it.
func (l *Log) end(t *test, how string) {
	if t.name == "" {
		for _, sub := range slices.Backward(l.tests) {
			if sub.pkg == t.pkg && sub.end == "" && sub != t {
				l.end(sub, sub.endOf(how))
			}
		}
	}
	t.end = how
	if t.above != nil && t.bad() {
		t.above.subFailed = true
	}
	if how == passed {
		t.output = Tail{} // nobody reads it
	}
}

// endOf is how a test ended that has no end of its own, in a package that ended like this.
func (t *test) endOf(pkg string) string {
	benchmark := figures.MatchString(t.output.String()) || t.parent && strings.HasPrefix(t.name, "Benchmark")
	if pkg != failed || benchmark {
		return passed
	}
	return unfinished
}

func (t *test) bad() bool { return t.end == failed || t.end == unfinished }
