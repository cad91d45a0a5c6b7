package doc_test

import (
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	all := documents(t)
	for file, d := range all {
		for _, s := range d.sections {
			for _, target := range s.links() {
				if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
					continue
				}
				name, anchor, _ := strings.Cut(target, "#")
				to := file
				if name != "" {
					to = path.Join(path.Dir(file), name)
				}
				if _, err := os.Stat(path.Join(root, to)); err != nil {
					t.Errorf("%s, %q: the link %s leads nowhere", file, s.heading, target)
				} else if anchor != "" && !slices.Contains(all[to].anchors(), anchor) {
					t.Errorf("%s, %q: %s has no heading or anchor #%s", file, s.heading, to, anchor)
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
			for _, name := range matches(declared, read(t, file)) {
				functions[name] = true
			}
		}
	})
	isFile := regexp.MustCompile(`^(ci|data|infra|services|\.github)/[\w./-]*$`)
	for file, d := range documents(t) {
		for _, s := range d.sections {
			for _, code := range s.code() {
				if isFile.MatchString(code) {
					if _, err := os.Stat(path.Join(root, code)); err != nil {
						t.Errorf("%s, %q: there is no %s", file, s.heading, code)
					}
				}
				for _, name := range matches(isTest, code) {
					if !functions[name] {
						t.Errorf("%s, %q: there is no test %s", file, s.heading, name)
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
