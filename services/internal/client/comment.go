package client

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// lineWidth is how many characters a line of a comment has, unless a word is longer.
const lineWidth = 90

// lines wraps a text for a comment. What is not printed is left out, so that no text can end a
// comment, or show other code than is run.
func lines(text string) []string {
	var all []string
	for line := range strings.Lines(text) {
		line = strings.Map(func(r rune) rune {
			if !unicode.IsPrint(r) {
				return ' '
			}
			return r
		}, line)
		all = append(all, wrap(strings.Fields(line))...)
	}
	return all
}

// wrap joins words to lines; no words are one empty line.
func wrap(all []string) []string {
	wrapped := []string{""}
	for _, word := range all {
		last := &wrapped[len(wrapped)-1]
		switch {
		case *last == "":
			*last = word
		case utf8.RuneCountInString(*last)+1+utf8.RuneCountInString(word) > lineWidth:
			wrapped = append(wrapped, word)
		default:
			*last += " " + word
		}
	}
	return wrapped
}

// prefixed puts a prefix before each line, without spaces at their ends.
func prefixed(prefix, text string) string {
	var b strings.Builder
	for _, line := range lines(text) {
		b.WriteString(strings.TrimRight(prefix+line, " ") + "\n")
	}
	return b.String()
}
