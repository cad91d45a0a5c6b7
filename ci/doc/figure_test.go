package doc_test

import (
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/ci/doc"
)

const results = "services/internal/bench/results/"

func result(t *testing.T, file string) doc.Result {
	t.Helper()
	var r doc.Result
	decoder := json.NewDecoder(strings.NewReader(read(t, file)))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	if _, err := time.Parse(time.DateOnly, r.Date); err != nil || r.Machine == "" || r.Command == "" || len(r.Figures) == 0 {
		t.Errorf("%s: date, machine, command and figures are all needed", file)
	}
	return r
}

// source is a link to a result; its text names the figure.
var source = regexp.MustCompile(`\[([\w-]+)\]\((` + regexp.QuoteMeta(results) + `[\w./-]+\.json)\)`)

// Every paragraph and row of the section on figures that has a number names the result it is from, and
// has no number that the result lacks.
func TestFiguresWereMeasured(t *testing.T) {
	t.Parallel()
	for file, as := range map[string]doc.Separators{"README.md": doc.English(), "README.es.md": doc.Spanish()} {
		checked := 0
		for _, s := range doc.Parse(file, read(t, file)).Sections {
			if !slices.Contains([]string{"Figures", "Cifras"}, s.Heading) {
				continue
			}
			for _, part := range parts(s.Prose)[1:] { // the first says how the rest was measured
				numbers := doc.Figures(part, as)
				from := source.FindStringSubmatch(part)
				if from == nil {
					if len(numbers) > 0 {
						t.Errorf("%s: no result is named for %q", file, part)
					}
					continue
				}
				checked++
				known := result(t, from[2]).Named(from[1])
				for _, n := range numbers {
					if !slices.Contains(known, n) {
						t.Errorf("%s: %s has no %s under %q: %q", file, path.Base(from[2]), n, from[1], part)
					}
				}
			}
		}
		if checked < 8 {
			t.Errorf("%s: only %d figures were looked up", file, checked)
		}
	}
}

// parts are paragraphs, and the rows of tables.
func parts(prose string) []string {
	var all []string
	for paragraph := range strings.SplitSeq(strings.TrimSpace(prose), "\n\n") {
		if strings.HasPrefix(paragraph, "|") {
			all = append(all, strings.Split(paragraph, "\n")...)
			continue
		}
		all = append(all, paragraph)
	}
	return all
}

func TestFigures(t *testing.T) {
	t.Parallel()
	english := doc.Figures("113,493 of `7`, 0.80 × v1, [E](x/2.json) 1.5.6 in 10", doc.English())
	spanish := doc.Figures("113.493 de `7`, 0,8 × v1, [E](x/2.json) 1.5.6 en 10", doc.Spanish())
	want := []string{"0.8", "1.5.6", "10", "113493"}
	if !slices.Equal(english, want) || !slices.Equal(spanish, want) {
		t.Errorf("%q and %q, want %q", english, spanish, want)
	}
}

// Both languages have the same headings, links, code, blocks and figures, section by section.
func TestLanguagesAreInStep(t *testing.T) {
	t.Parallel()
	all := documents(t)
	for _, file := range []string{"README.es.md", ".github/CHALLENGE.es.md", "ci/README.es.md", "data/README.es.md"} {
		if _, ok := all[file]; !ok {
			t.Errorf("there is no %s", file)
		}
	}
	for file, spanish := range all {
		if original := inEnglish(file); original != file {
			t.Run(file, func(t *testing.T) {
				t.Parallel()
				english, ok := all[original]
				if !ok {
					t.Fatalf("there is no %s", original)
				}
				compareLanguages(t, all, english, spanish)
			})
		}
	}
}

// inEnglish is the document that one in Spanish is the translation of; any other is itself.
func inEnglish(file string) string {
	if name, spanish := strings.CutSuffix(file, ".es.md"); spanish {
		return name + ".md"
	}
	return file
}

func compareLanguages(t *testing.T, all map[string]doc.Document, english, spanish doc.Document) {
	t.Helper()
	if len(english.Sections) != len(spanish.Sections) {
		t.Fatalf("%d sections in English, %d in Spanish", len(english.Sections), len(spanish.Sections))
	}
	for i, en := range english.Sections {
		es := spanish.Sections[i]
		if en.Level != es.Level || en.Number() != es.Number() {
			t.Fatalf("section %d is %q (level %d) and %q (level %d)", i, en.Heading, en.Level, es.Heading, es.Level)
		}
		if a, b := elsewhere(all, english, en), elsewhere(all, spanish, es); !slices.Equal(a, b) {
			t.Errorf("%q: links differ: %s", es.Heading, difference(a, b))
		}
		if a, b := doc.Figures(en.Prose, doc.English()), doc.Figures(es.Prose, doc.Spanish()); !slices.Equal(a, b) {
			t.Errorf("%q: figures differ: %s", es.Heading, difference(a, b))
		}
		if a, b := tests(en), tests(es); !slices.Equal(a, b) {
			t.Errorf("%q: tests differ: %s", es.Heading, difference(a, b))
		}
	}
	if a, b := blocks(english), blocks(spanish); !slices.Equal(a, b) {
		t.Errorf("blocks differ: %s", difference(a, b))
	}
}

func difference(english, spanish []string) string {
	var only []string
	for _, x := range english {
		if !slices.Contains(spanish, x) {
			only = append(only, "only English: "+x)
		}
	}
	for _, x := range spanish {
		if !slices.Contains(english, x) {
			only = append(only, "only Spanish: "+x)
		}
	}
	return strings.Join(only, "; ")
}

// elsewhere are a section's links to other files and sites. Those within are named after headings; so are those into a
// document that is there in both languages, of which only the file counts, in English.
func elsewhere(all map[string]doc.Document, d doc.Document, s doc.Section) []string {
	var targets []string
	for _, target := range s.Links() {
		if strings.HasPrefix(target, "#") {
			continue
		}
		name, _, _ := strings.Cut(target, "#")
		name = inEnglish(name)
		if _, both := all[path.Join(path.Dir(d.Path), strings.TrimSuffix(name, ".md")+".es.md")]; both {
			target = name
		}
		targets = append(targets, target)
	}
	slices.Sort(targets)
	return slices.Compact(targets)
}

func tests(s doc.Section) []string {
	all := regexp.MustCompile(`\b(Test|Fuzz|Benchmark)[A-Z]\w+`).FindAllString(s.Prose, -1)
	slices.Sort(all)
	return slices.Compact(all)
}

// blocks are what a machine reads; comments in commands may be translated.
func blocks(d doc.Document) []string {
	all := d.Commands()
	for _, b := range d.Blocks {
		if slices.Contains([]string{"json", "csv", "sql"}, b.Language) {
			all = append(all, b.Text)
		}
	}
	return all
}
