package client

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// words splits a name where it has no letter or digit, and before the capitals of camelCase.
func words(name string) []string {
	var all []string
	start, before := true, rune(0)
	for _, r := range norm.NFKC.String(name) {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) {
			start = true
			continue
		}
		if start || unicode.IsUpper(r) && unicode.IsLower(before) {
			all = append(all, "")
		}
		all[len(all)-1] += string(r)
		start, before = false, r
	}
	return all
}

// snakeCase writes a name in lower case, with underscores between its words.
func snakeCase(name string) string {
	return withLetter(strings.ToLower(strings.Join(words(name), "_")), "x")
}

// pascalCase writes a name with a capital at the beginning of each word.
func pascalCase(name string) string {
	return withLetter(strings.Join(capitalized(words(name)), ""), "X")
}

// camelCase is pascalCase with a first word in lower case.
func camelCase(name string) string {
	all := capitalized(words(name))
	if len(all) > 0 {
		all[0] = strings.ToLower(all[0])
	}
	return withLetter(strings.Join(all, ""), "x")
}

func capitalized(all []string) []string {
	for i, word := range all {
		first, size := utf8.DecodeRuneInString(word)
		all[i] = string(unicode.ToUpper(first)) + strings.ToLower(word[size:])
	}
	return all
}

// withLetter puts a letter before a name that does not begin with one.
func withLetter(name, letter string) string {
	if first, _ := utf8.DecodeRuneInString(name); !unicode.IsLetter(first) {
		return letter + name
	}
	return name
}

// avoiding returns a style whose names are none of the reserved words.
func avoiding(style func(string) string, reserved ...string) func(string) string {
	return func(name string) string {
		if name = style(name); slices.Contains(reserved, name) {
			return name + "_"
		}
		return name
	}
}

// scope holds names, each once.
type scope struct {
	separator string
	taken     map[string]bool
}

func newScope(separator string, taken ...string) *scope {
	s := &scope{separator, map[string]bool{}}
	for _, name := range taken {
		s.taken[name] = true
	}
	return s
}

// unique returns the name, with a number if it is taken.
func (s *scope) unique(name string) string {
	free := name
	for n := 2; s.taken[free]; n++ {
		free = fmt.Sprintf("%s%s%d", name, s.separator, n)
	}
	s.taken[free] = true
	return free
}
