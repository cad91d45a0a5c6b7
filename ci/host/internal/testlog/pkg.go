package testlog

import (
	"regexp"
	"slices"
	"strings"
)

// pkg is a package whose tests are running.
type pkg struct {
	output *Tail
	tests  map[string]*test
	failed bool // a test of it did
}

// test is a test that is running.
type test struct {
	output    *Tail
	parent    bool // it has sub-tests
	subFailed bool // one of them failed
}

func (l *Log) pkg(name string) *pkg {
	p := l.packages[name]
	if p == nil {
		p = &pkg{output: NewTail(outputLimit), tests: map[string]*test{}}
		l.packages[name] = p
	}
	return p
}

func (p *pkg) test(name string) *test {
	t := p.tests[name]
	if t == nil {
		t = &test{output: NewTail(outputLimit)}
		p.tests[name] = t
	}
	return t
}

func (l *Log) packageEvent(e event) {
	p := l.pkg(e.Package)
	switch e.Action {
	case "output":
		_, _ = p.output.Write([]byte(e.Output))
	case "pass", "fail", "skip":
		// A package is skipped when it has no test files. That is no test skipped.
		l.endPackage(e.Package, p, e)
	}
}

func (l *Log) testEvent(p *pkg, e event) {
	t := p.test(e.Test)
	if parent := p.tests[above(e.Test)]; parent != nil {
		parent.parent = true
	}
	switch e.Action {
	case "output":
		// "=== RUN" and its like say what the order of events says too.
		if !strings.HasPrefix(e.Output, "=== ") {
			_, _ = t.output.Write([]byte(e.Output))
		}
	case "pass", "fail", "skip":
		l.endTest(e.Package, p, e.Test, e.Action)
	}
}

// above is the name of the test that a sub-test belongs to, "" for none.
func above(name string) string {
	i := strings.LastIndexByte(name, '/')
	return name[:max(i, 0)]
}

func (l *Log) endTest(pkgName string, p *pkg, name, action string) {
	t := p.test(name)
	delete(p.tests, name)
	switch action {
	case "pass":
		if !t.parent {
			l.counts.Passed++
		}
	case "skip":
		l.counts.Skipped++
		l.fail(pkgName+" "+name, WhySkipped, t.output.String())
	default:
		l.failTest(pkgName, p, name, t, WhyFailed)
	}
}

func (l *Log) failTest(pkgName string, p *pkg, name string, t *test, why string) {
	p.failed = true
	if parent := p.tests[above(name)]; parent != nil {
		parent.subFailed = true
	}
	if !t.subFailed {
		l.counts.Failed++
	} else if t.quiet() {
		return // its sub-tests have said it all
	}
	l.fail(pkgName+" "+name, why, p.order()+t.output.String())
}

// order says how to run the package's tests in this order again.
func (p *pkg) order() string {
	if seed := shuffle.FindStringSubmatch(p.output.String()); seed != nil {
		return "    (run with -shuffle=" + seed[1] + ")\n"
	}
	return ""
}

// quiet reports whether a test printed nothing beside go test's own lines.
func (t *test) quiet() bool {
	for line := range strings.Lines(t.output.String()) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "--- ") {
			return false
		}
	}
	return true
}

func (l *Log) endPackage(name string, p *pkg, e event) {
	delete(l.packages, name)
	l.endRunning(name, p, e.Action)
	if e.Action != "fail" {
		return
	}
	if e.FailedBuild != "" {
		l.counts.Failed++
		l.fail(name, WhyBuild, l.takeBuild(e.FailedBuild))
		return
	}
	if !p.failed {
		l.counts.Failed++
		l.fail(name, WhyPackage, p.output.String())
	} else if output := telling(p.output.String()); output != "" {
		l.fail(name, WhyPackage, output)
	}
}

// takeBuild is a build's output the first time it is asked for: one that
// several packages need fails them all, and is printed once.
func (l *Log) takeBuild(path string) string {
	out := l.builds[path]
	if out == nil {
		return ""
	}
	l.builds[path] = NewTail(outputLimit)
	return out.String()
}

// endRunning ends the tests that have no end of their own when their package
// has one. Sub-tests come first, so that they count and not what is above them.
func (l *Log) endRunning(pkgName string, p *pkg, action string) {
	names := make([]string, 0, len(p.tests))
	for name := range p.tests {
		names = append(names, name)
	}
	slices.Sort(names)
	slices.Reverse(names)
	for _, name := range names {
		t := p.tests[name]
		delete(p.tests, name)
		switch {
		case action != "fail" || t.measured():
			if !t.parent {
				l.counts.Passed++
			}
		case strings.HasPrefix(name, "Benchmark") && t.parent:
		default:
			l.failTest(pkgName, p, name, t, WhyUnfinished)
		}
	}
}

// figures is a benchmark's result: its name, how often it ran, what it took.
var figures = regexp.MustCompile(`(?m)^Benchmark\S*\s+\d+\t`)

func (t *test) measured() bool { return figures.MatchString(t.output.String()) }

// telling drops the lines that go test prints for every package with a failed
// test.
func telling(output string) string {
	var kept strings.Builder
	for line := range strings.Lines(output) {
		if !boring.MatchString(line) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

var (
	shuffle = regexp.MustCompile(`(?m)^-test\.shuffle (\d+)$`)
	boring  = regexp.MustCompile(`^(FAIL|PASS|ok|exit status \d+|-test\.shuffle \d+|` +
		`goos: .*|goarch: .*|pkg: .*|cpu: .*)?(\t.*)?\n?$`)
)
