package doc_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/estela-dev/estela/ci/plan"
)

// notRun are the commands that need what no test has, by how they begin. Each has its reason.
var notRun = map[string]string{
	"gcloud auth application-default login": "asks a person to log in",
	"gcloud secrets versions add":           "needs a cloud account; the secrets' names are those of infra/stack/testdata",
	"cd infra":                              "what follows is Pulumi's",
	"pulumi login":                          "needs the pulumi program; the same calls are made by infra/rehearse",
	"pulumi stack init":                     "needs the pulumi program; the same calls are made by infra/rehearse",
	"pulumi stack export --stack":           "needs the pulumi program and a state",
	"pulumi stack import --stack":           "needs the pulumi program and a state",
	"pulumi up --stack":                     "needs a cloud account; infra/rehearse does it with a stand-in",
	"git switch":                            "changes the reader's repository",
	"git tag":                               "changes the reader's repository",
	"git push":                              "changes the reader's repository",
	"git clone":                             "needs the published repository",
}

// Every command of every document is one that a test runs, or whose form is checked here.
func TestCommandsAreChecked(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for file, d := range documents(t) {
		for _, command := range d.commands() {
			if checked(t, file, command) {
				continue
			}
			known := false
			for prefix := range notRun {
				if strings.HasPrefix(command, prefix) {
					known, used[prefix] = true, true
				}
			}
			if !known {
				t.Errorf("%s: nobody runs %q: let a test run it, check its form, or give the reason in notRun", file, command)
			}
		}
	}
	for prefix := range notRun {
		if !used[prefix] && !strings.HasPrefix(prefix, "git ") {
			t.Errorf("notRun explains %q, which no document has", prefix)
		}
	}
}

// checked reports whether a command is of a kind that is checked, and checks it.
func checked(t *testing.T, file, command string) bool {
	t.Helper()
	words := strings.Fields(command)
	switch {
	case strings.HasPrefix(command, "dagger "):
		checkDagger(t, file, words[1:])
	case strings.HasPrefix(command, "go run ./ci/host "):
		checkHost(t, file, words[3:])
	case strings.HasPrefix(command, "go run ./services/cmd/estela "), words[0] == "estela", words[0] == "curl":
		// TestE2EDocumentedCommandLines parses estela's as the binary does, TestE2EUp sends curl's to a running
		// pipeline. They must know the document, and be given it.
		list := "services/cmd/estela/documented_internal_test.go"
		if words[0] == "curl" {
			list = "services/cmd/estela/documented_test.go"
		}
		if !slices.Contains(e2e(t).Reads, file) {
			t.Errorf("%s: the check e2e, which would run %q, doesn't read this file (ci/plan)", file, command)
		}
		if !strings.Contains(read(t, list), strconv.Quote(file)) {
			t.Errorf("%s: nobody runs %q: add the file to the list in %s", file, command, list)
		}
	case words[0] == "prometheus":
		// TestDocumentedPrometheus of infra/observability runs it.
	case words[0] == "cd" && len(words) > 4 && words[2] == "&&" && words[3] == "go":
		checkGo(t, file, words[1], words[4:])
	default:
		return false
	}
	return true
}

func e2e(t *testing.T) plan.Check {
	t.Helper()
	chosen, _ := plan.Select(plan.Checks(), "e2e")
	if len(chosen) != 1 {
		t.Fatal("no check e2e")
	}
	return chosen[0]
}

// checkHost: the command line of the runner is parsed by its own tests; here its words must mean something.
func checkHost(t *testing.T, file string, words []string) {
	t.Helper()
	words = slices.DeleteFunc(words, func(w string) bool { return w == "--setup" || w == "--keep-going" })
	switch words[0] {
	case "test", "list", "setup":
	case "run":
		if _, unknown := plan.Select(plan.Checks(), words[1:]...); len(unknown) > 0 || len(words) == 1 {
			t.Errorf("%s: the plan has no check %q", file, unknown)
		}
	default:
		t.Errorf("%s: go run ./ci/host knows no command %q", file, words[0])
	}
}

// checkGo: what is tested or run must be a package, and each flag of ours be declared in it.
func checkGo(t *testing.T, file, dir string, words []string) {
	t.Helper()
	if !slices.Contains([]string{"test", "run"}, words[0]) {
		t.Errorf("%s: go %s is not checked", file, words[0])
		return
	}
	known := []string{"run", "bench", "benchtime", "timeout", "race", "fuzz", "fuzztime", "count", "v"}
	var source strings.Builder
	for _, word := range words[1:] {
		if strings.HasPrefix(word, "./") && !strings.HasSuffix(word, "...") {
			files, _ := filepath.Glob(filepath.Join(root, dir, word, "*.go"))
			if len(files) == 0 {
				t.Errorf("%s: %s has no package %s", file, dir, word)
			}
			for _, f := range files {
				text, err := os.ReadFile(f)
				if err != nil {
					t.Fatal(err)
				}
				source.Write(text)
			}
		}
	}
	for _, word := range words[1:] {
		flag := strings.TrimLeft(word, "-")
		if strings.HasPrefix(word, "-") && !slices.Contains(known, flag) && !strings.Contains(source.String(), `("`+flag+`"`) {
			t.Errorf("%s: nothing declares the flag %s", file, word)
		}
	}
}

// function is what `dagger call` knows of a method: flags, true if one must be given.
type function map[string]bool

// functions reads the module's from its source, by the names of the command line; "" is the constructor.
func functions(t *testing.T) map[string]function {
	t.Helper()
	all := map[string]function{}
	files, err := filepath.Glob(filepath.Join(root, "ci", "*.go"))
	if err != nil || len(files) == 0 {
		t.Fatal("the module has no source", err)
	}
	for _, file := range files {
		if path.Base(file) == "dagger.gen.go" {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			f, ok := d.(*ast.FuncDecl)
			switch {
			case !ok || !f.Name.IsExported():
			case f.Recv != nil:
				all[kebab(f.Name.Name)] = arguments(source, f)
			case f.Name.Name == "New":
				all[""] = arguments(source, f)
			}
		}
	}
	return all
}

var optional = regexp.MustCompile(`\+(optional|default)`)

// arguments are a function's; the comments of one stand between the one before and it. A file set's first file
// begins at position 1.
func arguments(source []byte, f *ast.FuncDecl) function {
	args := function{}
	from := f.Type.Params.Pos()
	for _, field := range f.Type.Params.List {
		for _, name := range field.Names {
			if name.Name != "ctx" && name.Name != "_" {
				args[kebab(name.Name)] = !optional.Match(source[from-1 : field.Pos()-1])
			}
		}
		from = field.End()
	}
	return args
}

// kebab is how the command line writes a Go name: githubURL is github-url.
func kebab(name string) string {
	name = regexp.MustCompile(`([a-z0-9])([A-Z])`).ReplaceAllString(name, "$1-$2")
	return strings.ToLower(name)
}

// ofDagger are functions of Dagger's own types, which may follow ours.
var ofDagger = []string{"up", "export", "publish"}

func checkDagger(t *testing.T, file string, words []string) {
	t.Helper()
	if words[0] == "functions" || words[0] == "check" || words[0] == "develop" {
		return
	}
	if words[0] != "call" {
		t.Errorf("%s: dagger %s is not checked", file, words[0])
		return
	}
	known, current, name, seen, given := functions(t), functions(t)[""], "", false, map[string]bool{}
	done := func() {
		for flag, required := range current {
			if required && !given[flag] {
				t.Errorf("%s: dagger call %s needs --%s", file, name, flag)
			}
		}
	}
	for i := 1; i < len(words); i++ {
		word := words[i]
		if flag, is := strings.CutPrefix(word, "--"); is {
			flag, _, inline := strings.Cut(flag, "=")
			if _, ok := current[flag]; !ok && !slices.Contains(ofDagger, name) {
				t.Errorf("%s: dagger call %s has no flag --%s", file, name, flag)
			}
			given[flag] = true
			if boolean := strings.HasPrefix(flag, "with-") || flag == "by-tag"; !inline && !boolean {
				i++
			}
			continue
		}
		done()
		if f, ok := known[word]; ok && (!seen || word != "up") {
			current, name, seen, given = f, word, true, map[string]bool{}
		} else if seen && slices.Contains(ofDagger, word) {
			current, name, given = function{}, word, map[string]bool{}
		} else {
			t.Errorf("%s: the module has no function %q", file, word)
			return
		}
	}
	done()
}

// Commands of the module that stand in a sentence are ones that it has; what must be given may be left out there.
func TestCommandsInSentences(t *testing.T) {
	t.Parallel()
	known := functions(t)
	for file, d := range documents(t) {
		for _, s := range d.sections {
			for _, code := range s.code() {
				words := strings.Fields(code)
				if len(words) < 3 || words[0] != "dagger" || words[1] != "call" {
					continue
				}
				found := false
				for _, word := range words[2:] {
					_, ok := known[word]
					found = found || ok
				}
				if !found {
					t.Errorf("%s, %q: the module has no function of %q", file, s.heading, code)
				}
			}
		}
	}
}
