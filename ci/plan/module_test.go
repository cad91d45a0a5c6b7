package plan_test

import (
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/estela-dev/estela/ci/plan"
)

// These tests hold the Dagger module against the plan without an engine, by reading its source.

// method is an exported method of the module's object.
type method struct {
	doc  string
	body string
}

// module reads the methods of Estela from ci/*.go.
func module(t *testing.T) map[string]method {
	t.Helper()
	methods := map[string]method{}
	files, err := fs.Glob(os.DirFS(root), "ci/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if file == "ci/dagger.gen.go" {
			continue
		}
		text := read(t, file)
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, file, text, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || f.Recv == nil || !f.Name.IsExported() {
				continue
			}
			star, ok := f.Recv.List[0].Type.(*ast.StarExpr)
			if ok && star.X.(*ast.Ident).Name == "Estela" {
				body := text[set.Position(f.Body.Pos()).Offset:set.Position(f.Body.End()).Offset]
				methods[f.Name.Name] = method{f.Doc.Text(), body}
			}
		}
	}
	if len(methods) == 0 {
		t.Fatal("ci/*.go has no method of Estela")
	}
	return methods
}

// documented are the module's functions: they are its command line, which others have in their scripts.
var documented = strings.Fields(`Test TestMatrix Lint Compile Unit Fuzz Contract EndToEnd Chaos Bench
	Build Binary Reproducible Up Scan ScanCode ScanImage Sbom Sign Publish Release
	WithRegistryLogin WithRegistry WithKey WithIdentity
	Preview Deploy Rollback Unlock Smoke Destroy Rehearse Generate Fix Submit`)

func TestTheModuleHasTheDocumentedFunctions(t *testing.T) {
	t.Parallel()
	found := slices.Sorted(maps.Keys(module(t)))
	if want := slices.Sorted(slices.Values(documented)); !slices.Equal(found, want) {
		t.Errorf("the module has the functions %q, documented are %q", found, want)
	}
}

// `dagger call test` runs every check of the plan and no other, because it takes the plan's list as it is;
// that what runs a check doesn't leave one out is what the loop over it shows.
func TestTheModuleTestsThePlan(t *testing.T) {
	t.Parallel()
	methods := module(t)
	for _, name := range []string{"Test", "TestMatrix"} {
		if calls := strings.Count(methods[name].body, "m.run(ctx, plan.Checks(), "); calls != 1 {
			t.Errorf("%s passes the plan's checks to run %d times, want once:\n%s", name, calls, methods[name].body)
		}
	}
	text := read(t, "ci/test.go")
	if calls := strings.Count(text, "suite.Run(ctx, checks, "); calls != 1 {
		t.Errorf("ci/test.go passes its checks to the suite %d times, want once", calls)
	}
	if strings.Contains(text, "plan.Check{") {
		t.Error("ci/test.go makes a check of its own; it belongs in ci/plan")
	}
}

// Every group is a function of its own, a check for `dagger check`, and no function runs another group.
func TestEveryGroupIsAFunction(t *testing.T) {
	t.Parallel()
	groups := map[plan.Group][]string{}
	call := regexp.MustCompile(`m\.group\(ctx, plan\.(\w+)\)`)
	for name, m := range module(t) {
		for _, found := range call.FindAllStringSubmatch(m.body, -1) {
			g := plan.Group(strings.ToLower(found[1]))
			groups[g] = append(groups[g], name)
			if !strings.Contains(m.doc, "+check") {
				t.Errorf("%s runs the group %s and isn't a +check", name, g)
			}
		}
	}
	for _, g := range plan.Groups() {
		if len(groups[g]) != 1 {
			t.Errorf("group %q is run by the functions %q, want one", g, groups[g])
		}
	}
	if len(groups) != len(plan.Groups()) {
		t.Errorf("the module runs the groups %v, the plan has %v", groups, plan.Groups())
	}
}

// What the committed bindings serve must be what the source has: after a change of the functions,
// `dagger develop` has to be run.
func TestTheBindingsAreUpToDate(t *testing.T) {
	t.Parallel()
	bindings := read(t, "ci/dagger.gen.go")
	var served, written []string
	for _, found := range regexp.MustCompile(`\(\*Estela\)\.(\w+)\(`).FindAllStringSubmatch(bindings, -1) {
		served = append(served, found[1])
	}
	for name, m := range module(t) {
		written = append(written, name)
		if first, _, _ := strings.Cut(m.doc, "\n"); strings.TrimSpace(first) == "" {
			t.Errorf("%s has no doc comment, which is its help", name)
		}
	}
	slices.Sort(served)
	slices.Sort(written)
	if !slices.Equal(slices.Compact(served), written) {
		t.Errorf("the bindings serve %q, the source has %q: run `dagger develop`", served, written)
	}
}

// What git doesn't keep is no part of the source: a warehouse that lies in the clone would be uploaded for
// each call, and a .env file may hold a token.
func TestTheSourceIsWhatGitKeeps(t *testing.T) {
	t.Parallel()
	found := regexp.MustCompile(`(?s)// The repository\.\n.*?\+ignore=(\[.*?\])\n\tsource `).FindStringSubmatch(read(t, "ci/main.go"))
	if found == nil {
		t.Fatal("ci/main.go: New's source has no +ignore")
	}
	var ignored []string
	if err := json.Unmarshal([]byte(found[1]), &ignored); err != nil {
		t.Fatalf("read %s: %v", found[1], err)
	}
	want := []string{".git"}
	for line := range strings.Lines(read(t, ".gitignore")) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		pattern, negated := strings.CutPrefix(line, "!")
		if anchored, ok := strings.CutPrefix(pattern, "/"); ok {
			pattern = strings.TrimSuffix(anchored, "/")
		} else {
			pattern = "**/" + strings.TrimSuffix(pattern, "/")
		}
		if negated {
			pattern = "!" + pattern
		}
		want = append(want, pattern)
	}
	if !slices.Equal(ignored, want) {
		t.Errorf("the source ignores %q, .gitignore means %q", ignored, want)
	}
}

// What touches the world must happen each time it is asked for; a result that is kept would be a lie.
func TestSideEffectsAreNeverCached(t *testing.T) {
	t.Parallel()
	methods := module(t)
	for _, name := range []string{
		"Publish", "Sign", "Preview", "Deploy", "Rollback", "Unlock", "Destroy", "Smoke", "Submit", "Release",
		"Scan", "ScanCode", "ScanImage",
	} {
		if !strings.Contains(methods[name].doc, `+cache="never"`) {
			t.Errorf("%s has no +cache=\"never\"", name)
		}
	}
}

func TestTheEngineIsPinnedOnce(t *testing.T) {
	t.Parallel()
	version := regexp.MustCompile(`"engineVersion": "(v[0-9.]+)"`).FindStringSubmatch(read(t, "dagger.json"))
	if version == nil {
		t.Fatal("dagger.json pins no engine version")
	}
	if want := "dagger.io/dagger " + version[1] + "\n"; !strings.Contains(read(t, "ci/go.mod"), want) {
		t.Errorf("ci/go.mod has another client than the engine's: want %q", want)
	}
	workflows, err := fs.Glob(os.DirFS(root), ".github/workflows/*.yml")
	if err != nil || len(workflows) == 0 {
		t.Fatalf("no workflows: %v", err)
	}
	for _, file := range workflows {
		for _, found := range regexp.MustCompile(`(?m)^\s+version: "?(v?[0-9][^"\s]*)`).FindAllStringSubmatch(read(t, file), -1) {
			if strings.TrimPrefix(found[1], "v") != strings.TrimPrefix(version[1], "v") {
				t.Errorf("%s runs Dagger %s, dagger.json says %s", file, found[1], version[1])
			}
		}
	}
}

// A workflow authenticates and calls; what it checks is in the plan.
func TestWorkflowsOnlyCall(t *testing.T) {
	t.Parallel()
	workflows, err := fs.Glob(os.DirFS(root), ".github/workflows/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	lint := strings.Join(commandOf(t, "actionlint"), " ")
	for _, file := range workflows {
		text := read(t, file)
		for _, forbidden := range []string{"go test", "go vet", "go run", "golangci", "setup-go", "pulumi up", "docker build"} {
			if strings.Contains(text, forbidden) {
				t.Errorf("%s has %q of its own; it belongs behind a `dagger call`", file, forbidden)
			}
		}
		for _, uses := range regexp.MustCompile(`(?m)uses:\s*(\S+)(.*)$`).FindAllStringSubmatch(text, -1) {
			pinned := regexp.MustCompile(`@[0-9a-f]{40}$`).MatchString(uses[1]) && strings.Contains(uses[2], "# v")
			if !pinned && !strings.HasPrefix(uses[1], "./") {
				t.Errorf("%s uses %s: pin it by commit, with the version as a comment", file, uses[1])
			}
		}
		if !strings.Contains(lint, file) {
			t.Errorf("actionlint isn't given %s", file)
		}
		// Each job that calls sums up, whether it passes or not, and keeps the engine's log when it doesn't.
		calls := strings.Count(text, "dagger/dagger-for-github@")
		for _, part := range []string{"permissions:\n      contents:", "actions/upload-artifact@", "docker logs", `/^Error: /,$p`} {
			if found := strings.Count(text, part); found < calls {
				t.Errorf("%s calls Dagger in %d jobs, and has %q only %d times", file, calls, part, found)
			}
		}
		if found := strings.Count(text, `"$GITHUB_STEP_SUMMARY"`); found < 2*calls {
			t.Errorf("%s calls Dagger in %d jobs, and writes a summary only %d times", file, calls, found)
		}
	}
}
