package doc

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// Separators are how a language writes numbers.
type Separators struct{ Thousands, Decimal string }

// English writes 1,000.5 and Spanish 1.000,5.
func English() Separators { return Separators{",", "."} }

// Spanish is how Chile writes numbers.
func Spanish() Separators { return Separators{".", ","} }

var number = regexp.MustCompile(`\d+(?:[.,]\d+)*`)

// Figures are the numbers of a text, without code, the targets of links and what is part of a word, sorted, each once.
func Figures(text string, s Separators) []string {
	text = link.ReplaceAllString(codeSpan.ReplaceAllString(text, " "), "] ")
	var all []string
	for _, at := range number.FindAllStringIndex(text, -1) {
		if at[0] > 0 {
			if before := []rune(text[:at[0]]); isWord(before[len(before)-1]) {
				continue
			}
		}
		all = append(all, s.plain(text[at[0]:at[1]]))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// plain writes a number without separators of thousands and with a point. What is no number, such as a
// version, stays as it is.
func (s Separators) plain(text string) string {
	grouped := regexp.MustCompile(`^\d{1,3}(` + regexp.QuoteMeta(s.Thousands) + `\d{3})+(` + regexp.QuoteMeta(s.Decimal) + `|$)`)
	if grouped.MatchString(text) {
		text = strings.ReplaceAll(text, s.Thousands, "")
	}
	if strings.Count(text, s.Decimal) == 1 && !strings.Contains(text, s.Thousands) {
		text = strings.Replace(text, s.Decimal, ".", 1)
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	return text
}

// Result is a file of measurements that documents quote.
type Result struct {
	// Date is the day, as 2006-01-02, Machine what ran it, Command how to run it again.
	Date, Machine, Command, Remarks string
	Figures                         []struct {
		Name, Unit string
		// Values were measured, Conditions are those of the measurement or what was wanted.
		Values, Conditions []float64
	}
}

// Named are the numbers of a figure, or nil where there is none.
func (r Result) Named(name string) []string {
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
