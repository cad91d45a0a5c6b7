package automaton_test

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/estela-dev/estela/services/internal/automaton"
)

// match matches with the automaton, if there is one, and with package regexp.
func match(source, text string) (ours, theirs, fast bool, err error) {
	p, err := automaton.Compile(source)
	if err != nil {
		return false, false, false, err
	}
	ascii := !strings.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf })
	return p.Match([]byte(text), ascii), regexp.MustCompile(source).MatchString(text), p.Fast(), nil
}

// FuzzPattern holds the automaton against package regexp.
func FuzzPattern(f *testing.F) {
	for _, p := range patterns {
		for _, text := range []string{"", "a", "abc", "LAX", "20010101T0655-LAX-BNA-1:completed", "é", "a\nb", "aab", "ABC", "x y"} {
			f.Add(p, text)
		}
	}
	f.Fuzz(func(t *testing.T, source, text string) {
		if len(source) > 200 {
			return
		}
		ours, theirs, _, err := match(source, text)
		if err == nil && ours != theirs {
			t.Errorf("%q on %q: %t, regexp says %t", source, text, ours, theirs)
		}
	})
}

var patterns = []string{
	"", "^$", "$^", "a", "^a", "a$", "^a$", "^[A-Z]{3}$", "b|^a", "(?i)abc", "^(a|ab)(c|bcd)*$", ".", "^.*$", "(?s)^.*$", `\bx\b`, "(?m)^b$",
	"^[0-9]{8}T[0-9]{4}-[A-Z]{3}-[A-Z]{3}-[0-9]{1,4}:[a-z]{1,16}$", "^[A-Za-z]+(/[A-Za-z0-9_+-]+){1,2}$", "(^|x)y*($|z)", "[^a]", "é", "a*?", `\Aa\z`, "(a$)b", "^^a", "a$$",
	"(?:a|b)*a(?:a|b){6}$", "x{0,900}",
}

// TestPatternsAreFast wants an automaton for the usual patterns and none where
// it could not be one.
func TestPatternsAreFast(t *testing.T) {
	t.Parallel()
	without := map[string]bool{`\bx\b`: true, "(?m)^b$": true, "x{0,900}": true, "a$$": false}
	for _, p := range patterns {
		if _, _, automaton, err := match(p, ""); err != nil || automaton == without[p] {
			t.Errorf("%q has an automaton: %t (%v)", p, automaton, err)
		}
	}
}
