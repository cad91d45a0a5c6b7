package api

import (
	"fmt"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// ecmaPattern is the pattern in the words of ECMA-262, with the flag u, in which JSON
// Schema writes its patterns: it matches the same texts. Greed and groups, which say
// nothing about that, may be others. False if it would be unreadably long.
func ecmaPattern(pattern *regexp.Regexp) (string, bool) {
	parsed, err := syntax.Parse(pattern.String(), syntax.Perl)
	if err != nil {
		return "", false
	}
	const longest = 4000
	text := ecma(parsed)
	return text, len(text) <= longest
}

func ecma(re *syntax.Regexp) string {
	switch re.Op {
	case syntax.OpNoMatch:
		return `[^\s\S]`
	case syntax.OpEmptyMatch:
		return `(?:)`
	case syntax.OpLiteral:
		return ecmaLiteral(re)
	case syntax.OpCharClass:
		return ecmaClass(re.Rune)
	case syntax.OpAnyCharNotNL:
		return `[^\n]` // the dot of ECMA-262 leaves out more
	case syntax.OpAnyChar:
		return `[\s\S]`
	case syntax.OpBeginLine:
		return `(?<![^\n])`
	case syntax.OpEndLine:
		return `(?![^\n])`
	case syntax.OpBeginText:
		return `^`
	case syntax.OpEndText:
		return `$`
	case syntax.OpWordBoundary:
		return `\b`
	case syntax.OpNoWordBoundary:
		return `\B`
	case syntax.OpCapture:
		return `(` + ecma(re.Sub[0]) + `)`
	case syntax.OpConcat:
		return joined(re.Sub, "", syntax.OpAlternate)
	case syntax.OpAlternate:
		return joined(re.Sub, "|")
	default:
		return ecmaRepeated(re)
	}
}

// joined puts those in a group that would take in their neighbours.
func joined(parts []*syntax.Regexp, by string, grouped ...syntax.Op) string {
	texts := make([]string, len(parts))
	for i, part := range parts {
		texts[i] = ecma(part)
		if slices.Contains(grouped, part.Op) {
			texts[i] = `(?:` + texts[i] + `)`
		}
	}
	return strings.Join(texts, by)
}

func ecmaRepeated(re *syntax.Regexp) string {
	sub := re.Sub[0]
	text := ecma(sub)
	single := sub.Op == syntax.OpCharClass || sub.Op == syntax.OpCapture || sub.Op == syntax.OpAnyChar || sub.Op == syntax.OpAnyCharNotNL ||
		sub.Op == syntax.OpLiteral && len(sub.Rune) == 1
	if !single {
		text = `(?:` + text + `)`
	}
	switch re.Op {
	case syntax.OpStar:
		return text + `*`
	case syntax.OpPlus:
		return text + `+`
	case syntax.OpQuest:
		return text + `?`
	}
	switch { // syntax.OpRepeat
	case re.Max == re.Min:
		return fmt.Sprintf(`%s{%d}`, text, re.Min)
	case re.Max < 0:
		return fmt.Sprintf(`%s{%d,}`, text, re.Min)
	default:
		return fmt.Sprintf(`%s{%d,%d}`, text, re.Min, re.Max)
	}
}

// ecmaLiteral is text; in any case, if it is matched so.
func ecmaLiteral(re *syntax.Regexp) string {
	var b strings.Builder
	for _, r := range re.Rune {
		if fold := unicode.SimpleFold(r); re.Flags&syntax.FoldCase != 0 && fold != r {
			class := []rune{r, r}
			for ; fold != r; fold = unicode.SimpleFold(fold) {
				class = append(class, fold, fold)
			}
			b.WriteString(ecmaClass(merged(class)))
			continue
		}
		b.WriteString(ecmaRune(r, `^$\.*+?()[]{}|`))
	}
	return b.String()
}

// ecmaRune is a character, as itself where people can read that.
func ecmaRune(r rune, special string) string {
	switch {
	case strings.ContainsRune(special, r):
		return `\` + string(r)
	case unicode.IsGraphic(r) && (r == ' ' || !unicode.IsSpace(r)) && !unicode.Is(unicode.M, r):
		return string(r)
	case r > 0xffff:
		return fmt.Sprintf(`\u{%X}`, r)
	default:
		return fmt.Sprintf(`\u%04X`, r)
	}
}

// ecmaClass is a class of ranges, as [^…] where that is shorter, with the names that
// Unicode has for large parts of it.
func ecmaClass(ranges []rune) string {
	begin := `[`
	if n := len(ranges); n > 0 && ranges[n-1] == unicode.MaxRune {
		begin, ranges = `[^`, inverted(ranges)
	}
	names, rest := named(ranges)
	if begin == `[` && len(names) == 0 && len(rest) == 2 && rest[0] == rest[1] {
		return ecmaRune(rest[0], `^$\.*+?()[]{}|`)
	}
	var b strings.Builder
	b.WriteString(begin + strings.Join(names, ""))
	for i := 0; i < len(rest); i += 2 {
		b.WriteString(ecmaRune(rest[i], `^\[]-`))
		if rest[i+1] > rest[i]+1 {
			b.WriteByte('-')
		}
		if rest[i+1] > rest[i] {
			b.WriteString(ecmaRune(rest[i+1], `^\[]-`))
		}
	}
	return b.String() + `]`
}

// manyRanges is from where on a class is looked through for names.
const manyRanges = 24

// named takes the categories and scripts of Unicode out of a class that has many ranges.
func named(ranges []rune) (names []string, rest []rune) {
	rest = ranges
	for len(rest) > 2*manyRanges {
		best, saved := "", manyRanges
		var left []rune
		for _, c := range unicodeClasses() {
			if without, ok := minus(rest, c.ranges); ok && len(rest)-len(without) > saved {
				best, left, saved = c.name, without, len(rest)-len(without)
			}
		}
		if best == "" {
			break
		}
		names, rest = append(names, best), left
	}
	return names, rest
}

type unicodeClass struct {
	name   string
	ranges []rune
}

// unicodeClasses are the categories and scripts by the names that ECMA-262 has for them.
var unicodeClasses = sync.OnceValue(func() (all []unicodeClass) {
	add := func(format string, tables map[string]*unicode.RangeTable) {
		for _, name := range slices.Sorted(maps.Keys(tables)) {
			parsed, err := syntax.Parse(`\p{`+name+`}`, syntax.Perl)
			if err == nil && parsed.Op == syntax.OpCharClass {
				all = append(all, unicodeClass{fmt.Sprintf(format, name), parsed.Rune})
			}
		}
	}
	add(`\p{%s}`, unicode.Categories)
	add(`\p{Script=%s}`, unicode.Scripts)
	return all
})

// minus is a without b; false if b is not in a.
func minus(a, b []rune) (rest []rune, ok bool) {
	i := 0
	a = slices.Clone(a)
	for j := 0; j < len(b); j += 2 {
		for i < len(a) && a[i+1] < b[j] {
			rest = append(rest, a[i], a[i+1])
			i += 2
		}
		if i >= len(a) || b[j] < a[i] || b[j+1] > a[i+1] {
			return nil, false
		}
		if a[i] < b[j] {
			rest = append(rest, a[i], b[j]-1)
		}
		if b[j+1] < a[i+1] {
			a[i] = b[j+1] + 1
		} else {
			i += 2
		}
	}
	return append(rest, a[min(i, len(a)):]...), true
}

// inverted are the characters that are not in the ranges.
func inverted(ranges []rune) (rest []rune) {
	next := rune(0)
	for i := 0; i < len(ranges); i += 2 {
		if ranges[i] > next {
			rest = append(rest, next, ranges[i]-1)
		}
		next = ranges[i+1] + 1
	}
	return rest
}

// merged sorts ranges of one character each and joins those that follow one another.
func merged(ranges []rune) (all []rune) {
	slices.Sort(ranges)
	for i := 0; i < len(ranges); i += 2 {
		if n := len(all); n > 0 && ranges[i] <= all[n-1]+1 {
			all[n-1] = ranges[i]
			continue
		}
		all = append(all, ranges[i], ranges[i])
	}
	return all
}
