package doc_test

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// separators are how a language writes numbers: English 1,000.5 and Spanish, as in Chile, 1.000,5.
type separators struct{ thousands, decimal string }

var english, spanish = separators{",", "."}, separators{".", ","}

// number is one with the letters before it, of a word that it is part of.
var number = regexp.MustCompile(`[\pL\p{Nd}]*?\d+(?:[.,]\d+)*`)

// figures are the numbers of a text, without code, the targets of links and what is part of a word, sorted, each once.
func figures(text string, s separators) []string {
	text = link.ReplaceAllString(codeSpan.ReplaceAllString(text, " "), "] ")
	var all []string
	for _, n := range number.FindAllString(text, -1) {
		if n[0] >= '0' && n[0] <= '9' {
			all = append(all, s.plain(n))
		}
	}
	return sorted(all)
}

// plain writes a number without separators of thousands and with a point. What is no number, such as a
// version, stays as it is.
func (s separators) plain(text string) string {
	grouped := regexp.MustCompile(`^\d{1,3}(` + regexp.QuoteMeta(s.thousands) + `\d{3})+(` + regexp.QuoteMeta(s.decimal) + `|$)`)
	if grouped.MatchString(text) {
		text = strings.ReplaceAll(text, s.thousands, "")
	}
	if strings.Count(text, s.decimal) == 1 && !strings.Contains(text, s.thousands) {
		text = strings.Replace(text, s.decimal, ".", 1)
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return text
}

func TestFigures(t *testing.T) {
	t.Parallel()
	en := figures("113,493 of `7`, 0.80 × v1, [E](x/2.json) 1.5.6 in 10", english)
	es := figures("113.493 de `7`, 0,8 × v1, [E](x/2.json) 1.5.6 en 10", spanish)
	want := []string{"0.8", "1.5.6", "10", "113493"}
	if !slices.Equal(en, want) || !slices.Equal(es, want) {
		t.Errorf("%q and %q, want %q", en, es, want)
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
	for file, translated := range all {
		if original := inEnglish(file); original != file {
			t.Run(file, func(t *testing.T) {
				t.Parallel()
				written, ok := all[original]
				if !ok {
					t.Fatalf("there is no %s", original)
				}
				compareLanguages(t, all, written, translated)
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

// numbered is what a heading may begin with: "1.1.a".
var numbered = regexp.MustCompile(`^\d+(\.\w+)+`)

func compareLanguages(t *testing.T, all map[string]document, inEnglish, inSpanish document) {
	t.Helper()
	if len(inEnglish.sections) != len(inSpanish.sections) {
		t.Fatalf("%d sections in English, %d in Spanish", len(inEnglish.sections), len(inSpanish.sections))
	}
	compare := func(where, what string, a, b []string) {
		if !slices.Equal(a, b) {
			t.Errorf("%q: %s differ: %s", where, what, difference(a, b))
		}
	}
	for i, en := range inEnglish.sections {
		es := inSpanish.sections[i]
		if en.level != es.level || numbered.FindString(en.heading) != numbered.FindString(es.heading) {
			t.Fatalf("section %d is %q (level %d) and %q (level %d)", i, en.heading, en.level, es.heading, es.level)
		}
		compare(es.heading, "links", elsewhere(all, inEnglish, en), elsewhere(all, inSpanish, es))
		compare(es.heading, "figures", figures(en.prose, english), figures(es.prose, spanish))
		compare(es.heading, "tests", sorted(matches(isTest, en.prose)), sorted(matches(isTest, es.prose)))
	}
	compare(inSpanish.path, "blocks", blocks(inEnglish), blocks(inSpanish))
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
func elsewhere(all map[string]document, d document, s section) []string {
	var targets []string
	for _, target := range s.links() {
		if strings.HasPrefix(target, "#") {
			continue
		}
		name, _, _ := strings.Cut(target, "#")
		name = inEnglish(name)
		if _, both := all[path.Join(path.Dir(d.path), strings.TrimSuffix(name, ".md")+".es.md")]; both {
			target = name
		}
		targets = append(targets, target)
	}
	return sorted(targets)
}

// blocks are what a machine reads; comments in commands may be translated.
func blocks(d document) []string {
	all := d.commands()
	for _, b := range d.blocks {
		if slices.Contains([]string{"json", "csv", "sql"}, b.language) {
			all = append(all, b.text)
		}
	}
	return all
}
