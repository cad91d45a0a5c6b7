// Package doc_test reads the repository's documents and holds them against the tree: links, names,
// commands, figures, and that a document says the same in both languages.
package doc_test

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const root = "../.."

// document is a Markdown file; its path is from the root. The first section is what stands before any heading.
type document struct {
	path     string
	sections []section
	blocks   []block
}

// section is a heading and the prose below it, without fenced blocks.
type section struct {
	level          int
	heading, prose string
}

// block is a fenced block of a language, such as sh.
type block struct{ language, text string }

var (
	fenced    = regexp.MustCompile("(?ms)^ *```(\\w*)$\n(.*?)^ *```$\n?")
	heading   = regexp.MustCompile(`^(#{1,6}) (.*)`)
	link      = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	codeSpan  = regexp.MustCompile("`([^`\n]+)`")
	anchor    = regexp.MustCompile(`<a id="([^"]+)">`)
	notInSlug = regexp.MustCompile(`[^\pL\p{Nd} _-]`)
	isTest    = regexp.MustCompile(`\b((?:Test|Fuzz|Benchmark)[A-Z]\w+)`)
)

func parse(file, text string) document {
	d := document{path: file}
	for _, m := range fenced.FindAllStringSubmatch(text, -1) {
		d.blocks = append(d.blocks, block{m[1], m[2]})
	}
	var s section
	for line := range strings.Lines(fenced.ReplaceAllString(text, "")) {
		if h := heading.FindStringSubmatch(line); h != nil {
			d.sections = append(d.sections, s)
			s = section{level: len(h[1]), heading: h[2]}
			continue
		}
		s.prose += line
	}
	d.sections = append(d.sections, s)
	return d
}

// commands are the lines of the blocks of language sh, without comments.
func (d document) commands() []string {
	var all []string
	for _, b := range d.blocks {
		for line := range strings.Lines(b.text) {
			line, _, _ = strings.Cut(" "+line, " #")
			if line = strings.TrimSpace(line); line != "" && b.language == "sh" {
				all = append(all, line)
			}
		}
	}
	return all
}

// anchors are what a link may name behind #: GitHub's names of the headings, and those that are given.
func (d document) anchors() []string {
	var all []string
	for _, s := range d.sections {
		all = append(all, strings.ReplaceAll(notInSlug.ReplaceAllString(strings.ToLower(s.heading), ""), " ", "-"))
		all = append(all, matches(anchor, s.prose)...)
	}
	return all
}

func (s section) links() []string { return matches(link, s.prose) }

// code is what stands between backticks.
func (s section) code() []string { return matches(codeSpan, s.prose) }

func matches(re *regexp.Regexp, text string) []string {
	var all []string
	for _, m := range re.FindAllStringSubmatch(text, -1) {
		all = append(all, m[1])
	}
	return all
}

func sorted(all []string) []string { return slices.Compact(slices.Sorted(slices.Values(all))) }

// documents are all of the repository's.
func documents(t *testing.T) map[string]document {
	t.Helper()
	all := map[string]document{}
	walk(t, func(file string) {
		if path.Ext(file) == ".md" {
			all[file] = parse(file, read(t, file))
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

func TestParse(t *testing.T) {
	t.Parallel()
	d := parse("x.md", "# A & b\n[l](y.md#z) `code`\n\n   ```sh\n   # why\n   go test ./... # all\n   ```\n\n## 1.1.a Ñandú, 2\n<a id=\"q\">\n")
	if got, want := d.commands(), []string{"go test ./..."}; !slices.Equal(got, want) {
		t.Errorf("commands %q, want %q", got, want)
	}
	if got, want := d.anchors(), []string{"", "a--b", "11a-ñandú-2", "q"}; !slices.Equal(got, want) {
		t.Errorf("anchors %q, want %q", got, want)
	}
	if s := d.sections[1]; !slices.Equal(s.links(), []string{"y.md#z"}) || !slices.Equal(s.code(), []string{"code"}) {
		t.Errorf("links %q, code %q", s.links(), s.code())
	}
}
