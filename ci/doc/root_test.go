package doc_test

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/estela-dev/estela/ci/doc"
)

const root = "../.."

// documents are all of the repository's.
func documents(t *testing.T) map[string]doc.Document {
	t.Helper()
	all := map[string]doc.Document{}
	walk(t, func(file string) {
		if path.Ext(file) == ".md" {
			all[file] = doc.Parse(file, read(t, file))
		}
	})
	if len(all) < 5 {
		t.Fatalf("only %d documents", len(all))
	}
	return all
}

func walk(t *testing.T, visit func(file string)) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(root), ".", func(file string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() && slices.Contains([]string{".git", ".estela", "dist", "node_modules"}, entry.Name()) {
			return fs.SkipDir
		}
		if err == nil && !entry.IsDir() {
			visit(file)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := fs.ReadFile(os.DirFS(root), file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	all := documents(t)
	for file, d := range all {
		for _, s := range d.Sections {
			for _, target := range s.Links() {
				if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
					continue
				}
				name, anchor, _ := strings.Cut(target, "#")
				to := file
				if name != "" {
					to = path.Join(path.Dir(file), name)
				}
				if _, err := os.Stat(path.Join(root, to)); err != nil {
					t.Errorf("%s, %q: the link %s leads nowhere", file, s.Heading, target)
				} else if anchor != "" && !slices.Contains(all[to].Anchors(), anchor) {
					t.Errorf("%s, %q: %s has no heading or anchor #%s", file, s.Heading, to, anchor)
				}
			}
		}
	}
}

// What stands between backticks and looks like a file of a folder at the root is one; what looks like a test is one.
func TestNamesAreThere(t *testing.T) {
	t.Parallel()
	functions := map[string]bool{}
	declared := regexp.MustCompile(`(?m)^func (\w+)\(`)
	walk(t, func(file string) {
		if strings.HasSuffix(file, "_test.go") {
			for _, m := range declared.FindAllStringSubmatch(read(t, file), -1) {
				functions[m[1]] = true
			}
		}
	})
	isFile := regexp.MustCompile(`^(ci|data|infra|services|\.github)/[\w./-]*$`)
	isTest := regexp.MustCompile(`\b(Test|Fuzz|Benchmark)[A-Z]\w+`)
	for file, d := range documents(t) {
		for _, s := range d.Sections {
			for _, code := range s.Code() {
				if isFile.MatchString(code) {
					if _, err := os.Stat(path.Join(root, code)); err != nil {
						t.Errorf("%s, %q: there is no %s", file, s.Heading, code)
					}
				}
				for _, name := range isTest.FindAllString(code, -1) {
					if !functions[name] {
						t.Errorf("%s, %q: there is no test %s", file, s.Heading, name)
					}
				}
			}
		}
	}
}

// The README is the way in: short, and with the answers to the challenge in sight.
func TestTheReadmeIsTheWayIn(t *testing.T) {
	t.Parallel()
	for file, answers := range map[string]string{"README.md": ".github/CHALLENGE.md", "README.es.md": ".github/CHALLENGE.es.md"} {
		lines := strings.Split(read(t, file), "\n")
		if len(lines) > 250 {
			t.Errorf("%s has %d lines, 250 at most: move what is no way in to the document whose job it is", file, len(lines))
		}
		if !strings.Contains(strings.Join(lines[:min(10, len(lines))], "\n"), "]("+answers+")") {
			t.Errorf("%s: the first lines don't link to %s", file, answers)
		}
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	d := doc.Parse("x.md", "# A & b\n[l](y.md#z) `code`\n\n   ```sh\n   # why\n   go test ./... # all\n   ```\n\n## 1.1.a Ñandú, 2\n<a id=\"q\">\n")
	if got, want := d.Commands(), []string{"go test ./..."}; !slices.Equal(got, want) {
		t.Errorf("commands %q, want %q", got, want)
	}
	if got, want := d.Anchors(), []string{"", "a--b", "11a-ñandú-2", "q"}; !slices.Equal(got, want) {
		t.Errorf("anchors %q, want %q", got, want)
	}
	if s := d.Sections[1]; !slices.Equal(s.Links(), []string{"y.md#z"}) || !slices.Equal(s.Code(), []string{"code"}) {
		t.Errorf("links %q, code %q", s.Links(), s.Code())
	}
	if got := d.Sections[2].Number(); got != "1.1.a" {
		t.Errorf("number %q", got)
	}
}
