package doc_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// The diagram of packages has an arrow for every import between packages of services, but those of cmd, which wires
// them all, and those of the packages that it calls shared.
func TestThePackagesAreDrawn(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(root, "services", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	var diagram string
	for _, b := range parse("services/README.md", string(text)).blocks {
		if strings.Contains(b.text, "%% imports") {
			diagram = b.text
		}
	}
	_, named, ok := strings.Cut(diagram, "the shared packages ")
	if !ok {
		t.Fatal(`services/README.md has no diagram with "%% imports" and "the shared packages"`)
	}
	named, _, _ = strings.Cut(named, ".")
	shared := strings.Split(named, ", ")
	drawn, found := arrows(diagram), map[string]bool{}
	all := imports(t, filepath.Join(root, "services", "internal"))
	for arrow := range imports(t, filepath.Join(root, "services", "client")) {
		all[strings.Replace(arrow, ".", "library", 1)] = true // internal/client has the name
	}
	for arrow := range all {
		from, to, _ := strings.Cut(arrow, " --> ")
		if !slices.Contains(shared, to) {
			found[arrow] = true
		}
		if !slices.Contains(shared, from) && !regexp.MustCompile(`(?m)^ +`+from+`$`).MatchString(diagram) {
			t.Errorf("services/README.md does not draw the package %s", from)
		}
	}
	for _, arrow := range slices.Sorted(maps.Keys(found)) {
		if !drawn[arrow] {
			t.Errorf("services/README.md does not draw the import %s", arrow)
		}
	}
	for _, arrow := range slices.Sorted(maps.Keys(drawn)) {
		if !found[arrow] {
			t.Errorf("services/README.md draws %s, which no package imports", arrow)
		}
	}
}

var arrow = regexp.MustCompile(`^\s*(\w+(?: & \w+)*) --> (\w+(?: & \w+)*)\s*$`)

// arrows are those of a flowchart, "a --> b".
func arrows(diagram string) map[string]bool {
	all := map[string]bool{}
	for line := range strings.Lines(diagram) {
		if m := arrow.FindStringSubmatch(line); m != nil {
			for from := range strings.SplitSeq(m[1], " & ") {
				for to := range strings.SplitSeq(m[2], " & ") {
					all[from+" --> "+to] = true
				}
			}
		}
	}
	return all
}

// imports are those between the packages of a folder, without those of tests, of packages for tests and of benchmarks.
func imports(t *testing.T, dir string) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		from, err := filepath.Rel(dir, filepath.Dir(path))
		if err != nil || strings.HasSuffix(from, "test") || from == "bench" || from == "chaos" {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			name, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if _, to, ok := strings.Cut(name, "/services/internal/"); ok {
				all[filepath.ToSlash(from)+" --> "+to] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
