package inference

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// maxName is how many characters a property's name has before a number that tells it from others.
const maxName = 59

// propertyNames makes names of properties: lower case, ASCII, no two alike. A name that is one
// already stays.
func propertyNames(columns []*stats) []string {
	names := make([]string, len(columns))
	taken := map[string]bool{}
	for i, s := range columns {
		if PropertyName(s.name) == s.name {
			names[i], taken[s.name] = s.name, true
		}
	}
	for i, s := range columns {
		if names[i] != "" {
			continue
		}
		base := PropertyName(s.name)
		if base == "" {
			base = fmt.Sprintf("column_%d", i+1)
		}
		name := base
		for n := 2; taken[name]; n++ {
			name = fmt.Sprintf("%s_%d", base, n)
		}
		names[i], taken[name] = name, true
	}
	return names
}

// PropertyName makes a name that a property, a column and a parameter can have: words in lower
// case, of ASCII letters and digits, with _ between them. It is empty if the text has none.
func PropertyName(text string) string {
	var b strings.Builder
	var last rune
	for _, r := range norm.NFD.String(text) {
		switch {
		case unicode.Is(unicode.Mn, r): // the mark of a letter
			continue
		case r < unicode.MaxASCII && unicode.IsUpper(r):
			if unicode.IsLower(last) && !strings.HasSuffix(b.String(), "_") {
				b.WriteByte('_')
			}
			b.WriteRune(unicode.ToLower(r))
		case r < unicode.MaxASCII && (unicode.IsLower(r) || unicode.IsDigit(r)):
			b.WriteRune(r)
		case letters[r] != "":
			b.WriteString(letters[r])
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
		last = r
	}
	name := strings.Trim(b.String(), "_")
	if name != "" && unicode.IsDigit(rune(name[0])) {
		name = "column_" + name
	}
	return strings.TrimRight(name[:min(len(name), maxName)], "_")
}

// letters are those of Western languages that are no letter with a mark.
var letters = map[rune]string{
	'ß': "ss", 'æ': "ae", 'Æ': "ae", 'œ': "oe", 'Œ': "oe", 'ø': "o", 'Ø': "o", 'ł': "l", 'Ł': "l", 'đ': "d", 'Đ': "d", 'ı': "i", '%': "pct", '#': "no",
}
