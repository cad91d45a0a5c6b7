package testlog

import (
	"bytes"
	"encoding/json"
	"strings"
	"sync"
)

// outputLimit bounds what is kept of one test's output, in bytes.
const outputLimit = 64 << 10

// Counts says how many tests ended, and how.
type Counts struct{ Passed, Failed, Skipped int }

// Run is the number of tests that ran at all.
func (c Counts) Run() int { return c.Passed + c.Failed + c.Skipped }

// Failure is one thing that went wrong, with what it printed.
type Failure struct {
	// What names it: a test, with its package, or a package.
	What string
	// Why is one of the Why constants.
	Why string
	// Output is what it printed, ending in a new line unless empty.
	Output string
}

// Why something counts as a failure.
const (
	WhyFailed     = "failed"
	WhySkipped    = "skipped, and a skipped test checks nothing"
	WhyUnfinished = "did not finish"
	WhyBuild      = "did not build"
	WhyPackage    = "failed outside its tests"
)

// Log is written the output of `go test -json`. Its methods may be called from
// several goroutines.
type Log struct {
	mu       sync.Mutex
	partial  []byte
	packages map[string]*pkg
	builds   map[string]*Tail
	loose    *Tail
	counts   Counts
	failures []Failure
}

// New makes an empty log.
func New() *Log {
	return &Log{
		packages: map[string]*pkg{},
		builds:   map[string]*Tail{},
		loose:    NewTail(outputLimit),
	}
}

// event is a line of `go test -json`; go doc test2json describes it.
type event struct {
	Action      string
	Package     string
	Test        string
	Output      string
	ImportPath  string
	FailedBuild string
}

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
	return l.counts
}

// Close ends the log: tests and packages that were still running count as
// unfinished. It returns what went wrong, and the lines that were no events.
func (l *Log) Close() (failures []Failure, loose string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.line(l.partial)
	l.partial = nil
	for name, p := range l.packages {
		l.endPackage(name, p, event{Action: "fail"})
	}
	for _, out := range l.builds {
		_, _ = l.loose.Write([]byte(out.String()))
	}
	clear(l.builds)
	return l.failures, l.loose.String()
}

func (l *Log) line(line []byte) {
	var e event
	if json.Unmarshal(line, &e) == nil && e.Action != "" {
		l.event(e)
		return
	}
	if len(bytes.TrimSpace(line)) > 0 {
		_, _ = l.loose.Write(append(bytes.Clone(line), '\n'))
	}
}

func (l *Log) event(e event) {
	switch {
	case e.Action == "build-output":
		l.build(e.ImportPath, e.Output)
	case e.Action == "build-fail":
		l.build(e.ImportPath, "")
	case e.Package == "":
	case e.Test == "":
		l.packageEvent(e)
	default:
		l.testEvent(l.pkg(e.Package), e)
	}
}

func (l *Log) build(path, output string) {
	if l.builds[path] == nil {
		l.builds[path] = NewTail(outputLimit)
	}
	_, _ = l.builds[path].Write([]byte(output))
}

func (l *Log) fail(what, why, output string) {
	if output != "" && !strings.HasSuffix(output, "\n") {
		output += "\n"
	}
	l.failures = append(l.failures, Failure{What: what, Why: why, Output: output})
}
