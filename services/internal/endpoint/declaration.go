package endpoint

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// attribute is a word of a parameter's declaration: a name, or a key with its value.
type attribute struct {
	text   string // in the file
	key    string
	values []string // nil without =; several for an enum only
	quoted bool     // the last value is in quotes
}

// attributeKeys are the keys that may follow a parameter's type.
var attributeKeys = []string{"required", "optional", "default", "enum", "pattern", "minimum", "maximum", "example"}

const (
	paramGrammar = "write -- param: NAME TYPE [required] [default=V] [enum=a,b] [pattern=RE2] [minimum=N] [maximum=N] [example=V] -- DESCRIPTION, with quotes around a value that has spaces"
	quoteFix     = `put the whole value in quotes and write a quote inside of them twice, such as default="the ""big"" one"`
)

// parseAttributes splits a declaration at white space outside of quotes. The description follows --.
func parseAttributes(text string) (all []attribute, description string, err error) {
	for {
		text = strings.TrimSpace(text)
		comment, ok := strings.CutPrefix(text, "--")
		switch {
		case text == "", ok && (comment == "" || startsWithSpace(comment)):
			return all, strings.TrimSpace(comment), nil
		}
		w, rest, err := readAttribute(text)
		if err != nil {
			return nil, "", err
		}
		w.text = text[:len(text)-len(rest)]
		all, text = append(all, w), rest
	}
}

func startsWithSpace(text string) bool { return strings.IndexFunc(text, unicode.IsSpace) == 0 }

func readAttribute(text string) (w attribute, rest string, err error) {
	end := strings.IndexFunc(text, func(r rune) bool { return r == '=' || unicode.IsSpace(r) })
	if end < 0 {
		return attribute{key: text}, "", nil
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

// readValue reads a quoted value, or one up to white space or, in a list, a comma.
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

// unquotedHint is the fix if attribute i was meant as a part of the unquoted value before it.
func unquotedHint(all []attribute, i int) string {
	from := i - 1
	for from >= 0 && !slices.Contains(attributeKeys, all[from].key) {
		from--
	}
	if from < 0 || len(all[from].values) != 1 || all[from].quoted {
		return paramGrammar
	}
	value := []string{all[from].values[0]}
	for _, w := range all[from+1:] {
		if slices.Contains(attributeKeys, w.key) {
			break
		}
		value = append(value, w.text)
	}
	return fmt.Sprintf("if it belongs to the %s, put that in quotes: %s=%s", all[from].key, all[from].key, quoteValue(strings.Join(value, " ")))
}

// quoteValue quotes a value for a header.
func quoteValue(text string) string { return `"` + strings.ReplaceAll(text, `"`, `""`) + `"` }

// quotedList joins values for a message, in quotes where they would be ambiguous.
func quotedList(values []string) string {
	all := make([]string, len(values))
	for i, value := range values {
		if all[i] = value; value == "" || strings.ContainsFunc(value, func(r rune) bool { return unicode.IsSpace(r) || r == ',' || r == '"' }) {
			all[i] = quoteValue(value)
		}
	}
	return strings.Join(all, ", ")
}
