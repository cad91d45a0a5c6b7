package plan

import (
	"slices"
	"time"

	"github.com/estela-dev/estela/ci/pin"
)

// The parts of the tree that the plan names. Its tests compare each with the
// tree: a module, a fuzz target or a benchmark that isn't here fails them.
var (
	modules = []string{"ci", "data", "infra", "services"}
	tested  = []string{"ci", "data", "infra", "services"}

	workflows = []string{"ci", "deploy", "release", "weekly"}

	fuzzed = []packages{
		{"ci", []string{"./host/internal/testlog"}},
		{"services", []string{"./internal/access", "./internal/api", "./internal/automaton", "./internal/chart", "./internal/client", "./internal/contract", "./internal/encode", "./internal/endpoint", "./internal/inference", "./internal/ingest", "./internal/mask", "./internal/mcp", "./internal/page", "./internal/scaffold", "./internal/stream", "./internal/tabular"}},
	}
	benched = packages{"services", []string{
		"./internal/api", "./internal/bench", "./internal/contract", "./internal/embeddedredis", "./internal/importer", "./internal/page", "./internal/scaffold", "./internal/stream", "./internal/usage", "./internal/warehouse", "./internal/worker",
	}}
)

// packages are some of a module's.
type packages struct {
	module   string
	patterns []string
}

// elsewhere matches the tests that have a check of their own. The check unit
// leaves them out, so that nothing runs twice.
const elsewhere = "^(TestE2E|TestChaos|Fuzz)"

// Checks is everything a change must pass, in the order it is best run in. The
// caller may change what it gets.
func Checks() []Check {
	return slices.Concat(
		lintChecks(),
		buildChecks(),
		unitChecks(),
		fuzzChecks(),
		[]Check{contractCheck(), endpointCheck(), e2eCheck(), chaosCheck(), benchCheck()},
	)
}

func lintChecks() []Check {
	checks := []Check{
		{
			Name: "format", Group: Lint,
			Doc:     "every Go file is as gofumpt and gci would write it",
			Dir:     ".",
			Command: []string{"go", "run", pin.GolangciLint, "fmt", "--diff"},
			Fix:     []string{"go", "run", pin.GolangciLint, "fmt"},
			Timeout: 15 * time.Minute, // the first run builds the linter
			Heavy:   true,
		},
		{
			Name: "vet", Group: Lint,
			Doc:     "go vet finds nothing in any module",
			Dir:     ".",
			Command: []string{"go", "vet", "work"},
			Needs:   []Need{CCompiler()},
			Timeout: 10 * time.Minute,
			Heavy:   true,
		},
		{
			Name: "golangci-lint", Group: Lint,
			Doc: "golangci-lint finds nothing: layers, errors, logs, comments (.golangci.yml)",
			Dir: ".",
			Command: append([]string{
				"go", "run", pin.GolangciLint, "run", "--allow-serial-runners",
			}, modulePatterns()...),
			Needs:   []Need{CCompiler()},
			Timeout: 15 * time.Minute,
			Heavy:   true,
			After:   []string{"format", "vet"},
		},
	}
	checks = append(checks, workflowCheck())
	return append(checks, eachModule(modules, tidyCheck)...)
}

// workflowCheck names its files, so that it needs no git; shellcheck and pyflakes are left out, because
// a machine may have them or not.
func workflowCheck() Check {
	c := Check{
		Name: "actionlint", Group: Lint,
		Doc:     "the workflows are ones that GitHub understands",
		Dir:     ".",
		Command: []string{"go", "run", pin.Actionlint, "-shellcheck=", "-pyflakes="},
		Reads:   []string{"go.work", ".github"}, // the first marks the root
		Timeout: 10 * time.Minute,
	}
	for _, name := range workflows {
		c.Command = append(c.Command, ".github/workflows/"+name+".yml")
	}
	return c
}

func tidyCheck(module string) Check {
	return Check{
		Name: "tidy-" + module, Group: Lint,
		Doc:     "go.mod and go.sum of " + module + " are as go mod tidy would leave them",
		Dir:     module,
		Command: []string{"go", "mod", "tidy", "-diff"},
		Fix:     []string{"go", "mod", "tidy"},
		Reads:   sources(module),
		Timeout: 5 * time.Minute,
	}
}

func buildChecks() []Check {
	return eachModule(modules, func(module string) Check {
		return Check{
			Name: "build-" + module, Group: Build,
			Doc:     module + " builds on its own, without the workspace",
			Dir:     module,
			Command: []string{"go", "build", "./..."},
			Env:     map[string]string{"GOWORK": "off"},
			Reads:   sources(module),
			Needs:   []Need{CCompiler()},
			Timeout: 10 * time.Minute,
			Heavy:   true,
		}
	})
}

func unitChecks() []Check {
	return eachModule(tested, func(module string) Check {
		c := goTest(10*time.Minute, "-race", "-shuffle=on", "-skip", elsewhere, "./...")
		c.Name, c.Group, c.Dir = "unit-"+module, Unit, module
		c.Doc = "tests of " + module + " with the race detector, in a random order"
		c.Reads = sources(module)
		if module == "services" {
			c.Needs = append(c.Needs, Redis(), Chromium(), Node(), Python(), Curl())
			c.Privileged = true
		}
		if module == "infra" {
			c.Needs = append(c.Needs, Promtool())
		}
		if module == "ci" || module == "infra" {
			c.Reads = nil // they are compared with the tree: the plan, and what a container is told
		}
		return c
	})
}

func fuzzChecks() []Check {
	checks := make([]Check, 0, len(fuzzed))
	for _, f := range fuzzed {
		c := goTest(5*time.Minute, slices.Concat([]string{"-race", "-run", "^Fuzz"}, f.patterns)...)
		c.Name, c.Group, c.Dir = "fuzz-"+f.module, Fuzz, f.module
		c.Doc = "every seed of every fuzz target of " + f.module + ", with the race detector"
		c.Reads = sources(f.module)
		checks = append(checks, c)
	}
	return checks
}

func contractCheck() Check {
	return Check{
		Name: "contracts", Group: Contract,
		Doc:      "every dataset's contract loads, its endpoints' tests pass, and it breaks no promise the base revision made",
		Dir:      "services",
		Command:  []string{"go", "run", "./cmd/estela", "contract", "check", "--usage"},
		Needs:    []Need{CCompiler(), Git()},
		Timeout:  10 * time.Minute,
		Heavy:    true,
		BaseFlag: "--against",
	}
}

func endpointCheck() Check {
	return Check{
		Name: "endpoints", Group: Contract,
		Doc:     "every endpoint runs on its dataset's sample, and none reads more than it must",
		Dir:     "services",
		Command: []string{"go", "run", "./cmd/estela", "endpoint", "check", "--usage"},
		Reads:   sources("services"),
		Needs:   []Need{CCompiler()},
		Timeout: 10 * time.Minute,
		Heavy:   true,
		After:   []string{"contracts"},
	}
}

func e2eCheck() Check {
	c := goTest(10*time.Minute, "-race", "-run", "^TestE2E", "./cmd/estela")
	c.Name, c.Group, c.Dir = "e2e", E2E, "services"
	c.Doc = "the built binary, from publishing to the answer of a GET"
	// Whose answers it compares, and whose commands it runs.
	c.Reads = append(sources("services"),
		"README.md", "README.es.md", ".github/CHALLENGE.md", ".github/CHALLENGE.es.md", ".github/CONTRIBUTING.md",
		"ci/README.md", "ci/README.es.md", "data/README.md", "data/README.es.md", "infra/README.md", "services/README.md",
	)
	c.Needs = append(c.Needs, Redis(), Chromium(), Node())
	c.Alone = true
	return c
}

func chaosCheck() Check {
	c := goTest(15*time.Minute, "-race", "-run", "^TestChaos", "./internal/chaos")
	c.Name, c.Group, c.Dir = "chaos", Chaos, "services"
	c.Doc = "kills, cuts, full disks and stale owners: nothing lost, nothing twice"
	// Whose objective it charges faults to, and where the last result is shown.
	c.Reads = append(sources("services"), "infra/observability/slo.yaml", "infra/observability/README.md")
	c.Privileged = true
	c.Needs = append(c.Needs, Redis())
	c.Alone = true
	return c
}

func benchCheck() Check {
	c := goTest(10*time.Minute,
		slices.Concat([]string{"-run", "^$", "-bench", ".", "-benchtime", "1x"}, benched.patterns)...)
	c.Name, c.Group, c.Dir = "bench", Bench, benched.module
	c.Doc = "every benchmark once, so that none rots"
	c.Reads = sources(benched.module)
	c.Needs = append(c.Needs, Redis(), Wrk())
	c.Alone = true
	return c
}

// goTest is a check that runs tests, for real each time. A package that hangs
// is ended by go test first, which prints where its goroutines stand.
func goTest(hang time.Duration, args ...string) Check {
	return Check{
		Command: slices.Concat(
			[]string{"go", "test", "-json", "-count=1", "-timeout", hang.String()}, args),
		Needs:   []Need{CCompiler()},
		Timeout: 2 * hang, // room to compile and to link
		Heavy:   true,
		Tests:   true,
	}
}

// sources are what a module is built from: itself, the module it embeds, and what
// makes the workspace one.
func sources(module string) []string {
	reads := []string{"go.work", "go.work.sum", module}
	for _, other := range modules {
		if other != module {
			reads = append(reads, other+"/go.mod")
		}
	}
	if module == "services" {
		reads = append(reads, "data")
	}
	return reads
}

func eachModule(names []string, check func(module string) Check) []Check {
	checks := make([]Check, 0, len(names))
	for _, name := range names {
		checks = append(checks, check(name))
	}
	return checks
}

// modulePatterns names every module: at the root of a workspace ./... matches
// nothing.
func modulePatterns() []string {
	patterns := make([]string, 0, len(modules))
	for _, module := range modules {
		patterns = append(patterns, "./"+module+"/...")
	}
	return patterns
}
