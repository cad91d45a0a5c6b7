package plan_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/estela-dev/estela/ci/plan"
)

// root is the repository: these tests compare the plan with it.
const root = "../.."

func TestDirectoriesAndPackagesExist(t *testing.T) {
	t.Parallel()
	tree := os.DirFS(root)
	for _, c := range plan.Checks() {
		for _, dir := range append(packages(c), c.Dir) {
			if info, err := fs.Stat(tree, dir); err != nil || !info.IsDir() {
				t.Errorf("check %q: no directory %q", c.Name, dir)
			}
		}
	}
}

func TestEveryModuleIsCovered(t *testing.T) {
	t.Parallel()
	lint := commandOf(t, "golangci-lint")
	for _, module := range workspace(t) {
		if !slices.Contains(lint, "./"+module+"/...") {
			t.Errorf("golangci-lint does not look at module %q of go.work", module)
		}
		commandOf(t, "tidy-"+module)
		commandOf(t, "build-"+module)
		if len(testFuncs(t, module, "Test")) > 0 {
			commandOf(t, "unit-"+module)
		}
	}
}

func TestTheWorkspaceHoldsEveryModule(t *testing.T) {
	t.Parallel()
	used := workspace(t)
	found, err := fs.Glob(os.DirFS(root), "*/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range found {
		if !slices.Contains(used, path.Dir(file)) {
			t.Errorf("%s: go.work does not use this module: go work use ./%s", file, path.Dir(file))
		}
	}
}

func TestOneGoVersionEverywhere(t *testing.T) {
	t.Parallel()
	want := goLine(t, "go.work")
	for _, module := range workspace(t) {
		file := path.Join(module, "go.mod")
		if got := goLine(t, file); got != want {
			t.Errorf("%s says %q, go.work says %q", file, got, want)
		}
	}
}

// The tests that unit leaves out must be run by the check that is theirs, and
// that check must not be sent to packages that hold none.
func TestEverySpecialTestHasItsCheck(t *testing.T) {
	t.Parallel()
	for prefix, group := range map[string]plan.Group{
		"Fuzz": plan.Fuzz, "Benchmark": plan.Bench, "TestE2E": plan.E2E, "TestChaos": plan.Chaos,
	} {
		var listed, found []string
		chosen, _ := plan.Select(plan.Checks(), string(group))
		for _, c := range chosen {
			listed = append(listed, packages(c)...)
		}
		for _, module := range workspace(t) {
			found = append(found, testFuncs(t, module, prefix)...)
		}
		for _, dir := range found {
			if !slices.Contains(listed, dir) {
				t.Errorf("%s has %s functions, but no check of %q runs them: add it to the plan",
					dir, prefix, group)
			}
		}
		for _, dir := range listed {
			if !slices.Contains(found, dir) {
				t.Errorf("%s has no %s function, but a check of %q runs it: take it out of the plan",
					dir, prefix, group)
			}
		}
	}
}

// packages are the directories a check's command names, from the root.
func packages(c plan.Check) []string {
	var dirs []string
	for _, arg := range c.Command {
		if strings.HasPrefix(arg, "./") {
			dirs = append(dirs, path.Join(c.Dir, strings.TrimSuffix(arg, "/...")))
		}
	}
	return dirs
}

func byName(t *testing.T, name string) plan.Check {
	t.Helper()
	for _, c := range plan.Checks() {
		if c.Name == name {
			return c
		}
	}
	t.Errorf("no check %q", name)
	return plan.Check{}
}

func commandOf(t *testing.T, name string) []string {
	t.Helper()
	return byName(t, name).Command
}

// workspace lists the modules that go.work uses.
func workspace(t *testing.T) []string {
	t.Helper()
	var modules []string
	for _, m := range regexp.MustCompile(`(?m)^\s*(?:use )?\./(\S+)`).
		FindAllStringSubmatch(read(t, "go.work"), -1) {
		modules = append(modules, m[1])
	}
	if len(modules) == 0 {
		t.Fatal("go.work uses no module")
	}
	return modules
}

func goLine(t *testing.T, file string) string {
	t.Helper()
	return regexp.MustCompile(`(?m)^go \S+$`).FindString(read(t, file))
}

// testFuncs lists the directories of a module whose test files declare a test
// function of that prefix.
func testFuncs(t *testing.T, module, prefix string) []string {
	t.Helper()
	var dirs []string
	err := fs.WalkDir(os.DirFS(root), module, func(file string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(file, "_test.go") {
			return err
		}
		dir := path.Dir(file)
		if !slices.Contains(dirs, dir) && declares(t, file, prefix) {
			dirs = append(dirs, dir)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return dirs
}

func declares(t *testing.T, file, prefix string) bool {
	t.Helper()
	parsed, err := parser.ParseFile(token.NewFileSet(), file, read(t, file), parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	return slices.ContainsFunc(parsed.Decls, func(d ast.Decl) bool {
		f, ok := d.(*ast.FuncDecl)
		return ok && f.Recv == nil && strings.HasPrefix(f.Name.Name, prefix) && f.Name.Name != "TestMain"
	})
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := fs.ReadFile(os.DirFS(root), file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// What a container is given must exist, and have the file by which the runner knows the root.
func TestReadsNameTheTree(t *testing.T) {
	t.Parallel()
	for _, c := range plan.Checks() {
		if len(c.Reads) > 0 && !slices.Contains(c.Reads, "go.work") {
			t.Errorf("check %q reads %q, without go.work, which marks the root", c.Name, c.Reads)
		}
		for _, file := range c.Reads {
			if _, err := fs.Stat(os.DirFS(root), file); err != nil {
				t.Errorf("check %q reads %q: %v", c.Name, file, err)
			}
		}
	}
}
