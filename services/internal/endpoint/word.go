package endpoint

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// word is one of a parameter's declaration: a name, or a key with its value.
type word struct {
	text   string // as it is written
	key    string
	values []string // nil: it has no =; several of an enum only
	quoted bool     // the last of the values is in quotes
}

// wordKeys are those that mean something after a parameter's type.
var wordKeys = []string{"required", "optional", "default", "enum", "pattern", "minimum", "maximum", "example"}

const (
	paramGrammar = "write -- param: NAME TYPE [required] [default=V] [enum=a,b] [pattern=RE2] [minimum=N] [maximum=N] [example=V] -- DESCRIPTION, with quotes around a value that has spaces"
	quoteFix     = `put the whole value in quotes and write a quote inside of them twice, such as default="the ""big"" one"`
)

// words takes a declaration apart: at white space, but not inside of the quotes that
// a value, or one of an enum, may stand in. What follows -- is the description.
func words(text string) (all []word, description string, err error) {
	for {
		text = strings.TrimSpace(text)
		comment, ok := strings.CutPrefix(text, "--")
		switch {
		case text == "", ok && (comment == "" || startsWithSpace(comment)):
			return all, strings.TrimSpace(comment), nil
		}
		w, rest, err := readWord(text)
		if err != nil {
			return nil, "", err
		}
		w.text = text[:len(text)-len(rest)]
		all, text = append(all, w), rest
	}
}

func startsWithSpace(text string) bool { return strings.IndexFunc(text, unicode.IsSpace) == 0 }

func readWord(text string) (w word, rest string, err error) {
	end := strings.IndexFunc(text, func(r rune) bool { return r == '=' || unicode.IsSpace(r) })
	if end < 0 {
		return word{key: text}, "", nil
	}
	w.key, rest = text[:end], text[end:]
	if rest[0] != '=' {
		return w, rest, nil
	}
	list := w.key == "enum"
	for more := true; more; more = list && strings.HasPrefix(rest, ",") {
		var value string
		if value, rest, w.quoted, err = readValue(rest[1:], list); err != nil {
			return w, rest, fmt.Errorf("%s %w", w.key, err)
		}
		w.values = append(w.values, value)
	}
	if rest != "" && !startsWithSpace(rest) {
		return w, rest, fmt.Errorf("%s has %q behind its quotes", w.key, rest)
	}
	return w, rest, nil
}

// readValue reads up to white space, or of a list to a comma, or what stands in quotes.
func readValue(text string, list bool) (value, rest string, quoted bool, err error) {
	if text == "" || text[0] != '"' && text[0] != '\'' {
		end := strings.IndexFunc(text+" ", func(r rune) bool { return unicode.IsSpace(r) || list && r == ',' })
		return text[:end], text[end:], false, nil
	}
	quote := text[:1]
	for rest = text[1:]; ; rest = rest[1:] {
		inside, after, ok := strings.Cut(rest, quote)
		if !ok {
			return "", "", true, fmt.Errorf("has a quote without an end: %s", text)
		}
		value, rest = value+inside, after
		if !strings.HasPrefix(rest, quote) {
			return value, rest, true, nil
		}
		value += quote
	}
}

// splitHint is the way out where the word i was meant to be part of the value before.
func splitHint(all []word, i int) string {
	from := i - 1
	for from >= 0 && !slices.Contains(wordKeys, all[from].key) {
		from--
	}
	if from < 0 || len(all[from].values) != 1 || all[from].quoted {
		return paramGrammar
	}
	value := []string{all[from].values[0]}
	for _, w := range all[from+1:] {
		if slices.Contains(wordKeys, w.key) {
			break
		}
		value = append(value, w.text)
	}
	return fmt.Sprintf("if it belongs to the %s, put that in quotes: %s=%s", all[from].key, all[from].key, quoteValue(strings.Join(value, " ")))
}

// quoteValue writes a value as a header takes it.
func quoteValue(text string) string { return `"` + strings.ReplaceAll(text, `"`, `""`) + `"` }

// listed writes values for people: in quotes where they could be misread.
func listed(values []string) string {
	all := make([]string, len(values))
	for i, value := range values {
		if all[i] = value; value == "" || strings.ContainsFunc(value, func(r rune) bool { return unicode.IsSpace(r) || r == ',' || r == '"' }) {
			all[i] = quoteValue(value)
		}
	}
	return strings.Join(all, ", ")
}
