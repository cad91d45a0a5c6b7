package doc_test

import (
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const results = "services/internal/bench/results/"

// result is a file of measurements that documents quote.
type result struct {
	// Date is the day, as 2006-01-02, Machine what ran it, Command how to run it again.
	Date, Machine, Command, Remarks string
	Figures                         []struct {
		Name, Unit string
		// Values were measured, Conditions are those of the measurement or what was wanted.
		Values, Conditions []float64
	}
}

// named are the numbers of a figure, or nil where there is none.
func (r result) named(name string) []string {
	var all []string
	for _, f := range r.Figures {
		if f.Name == name {
			for _, v := range slices.Concat(f.Values, f.Conditions) {
				all = append(all, strconv.FormatFloat(v, 'f', -1, 64))
			}
		}
	}
	return all
}

func readResult(t *testing.T, file string) result {
	t.Helper()
	var r result
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
	for file, as := range map[string]separators{"README.md": english, "README.es.md": spanish} {
		checked := 0
		for _, s := range parse(file, read(t, file)).sections {
			if !slices.Contains([]string{"Figures", "Cifras"}, s.heading) {
				continue
			}
			for _, part := range parts(s.prose)[1:] { // the first says how the rest was measured
				numbers := figures(part, as)
				from := source.FindStringSubmatch(part)
				if from == nil {
					if len(numbers) > 0 {
						t.Errorf("%s: no result is named for %q", file, part)
					}
					continue
				}
				checked++
				known := readResult(t, from[2]).named(from[1])
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
