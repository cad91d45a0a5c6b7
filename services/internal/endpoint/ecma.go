package endpoint

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// maxClass is the highest number of ranges in a character class.
const maxClass = 200

// maxECMA is the length of the longest translated pattern, in bytes.
const maxECMA = 4 << 10

var errNotECMA = errors.New("no exact translation")

// ECMA translates an RE2 pattern to an equivalent one of ECMA-262 with the flag u, as JSON Schema
// has them. It returns false if there is none, or only an unreadably long one.
func ECMA(pattern string) (string, bool) {
	if sharedSyntax.MatchString(pattern) && !re2Only.MatchString(pattern) {
		return pattern, true // unchanged
	}
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return "", false
	}
	var b strings.Builder
	if err := writeECMA(&b, tree); err != nil || b.Len() > maxECMA {
		return "", false
	}
	return b.String(), true
}

var (
	// sharedSyntax matches patterns that mean the same in both syntaxes.
	sharedSyntax = regexp.MustCompile(`^(?:` +
		`[^\\.\[\](){}?*+|]` + // a character
		`|\\[dwbB^$\\.*+?()\[\]{}|/]` + // an escape
		`|\{[0-9]+(?:,[0-9]*)?\}|[*+?|)]|\((?:\?:)?` + // repetition, alternatives, groups
		`|\[\^?(?:[^\\\[\]^-]|\\[dw^$\\.*+?()\[\]{}|/-]|[0-9A-Za-z]-[0-9A-Za-z])+-?\]` + // a class
		`)*$`)
	// re2Only matches what sharedSyntax lets through and only RE2 accepts: flags and names of
	// groups, ranges from a class, and repetitions of what is empty.
	re2Only = regexp.MustCompile(`\(\?[^:]|\\[dw]-[^\]]|(?:[$^]|\\[bB])[*+?{]`)
)

func writeECMA(b *strings.Builder, re *syntax.Regexp) error {
	switch re.Op {
	case syntax.OpEmptyMatch:
		b.WriteString("(?:)")
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			writeLiteral(b, r, re.Flags&syntax.FoldCase != 0)
		}
	case syntax.OpCharClass:
		return writeClass(b, re.Rune)
	case syntax.OpAnyCharNotNL:
		b.WriteString(`[^\n]`) // the dot excludes more line ends there
	case syntax.OpAnyChar:
		b.WriteString(`[\s\S]`)
	case syntax.OpBeginText:
		b.WriteByte('^')
	case syntax.OpEndText:
		b.WriteByte('$')
	case syntax.OpWordBoundary:
		b.WriteString(`\b`)
	case syntax.OpNoWordBoundary:
		b.WriteString(`\B`)
	case syntax.OpCapture:
		return writeGroup(b, re.Sub[0])
	case syntax.OpStar, syntax.OpPlus, syntax.OpQuest, syntax.OpRepeat:
		if err := writeRepeated(b, re.Sub[0]); err != nil {
			return err
		}
		b.WriteString(quantifier(re))
	case syntax.OpConcat, syntax.OpAlternate:
		return writeParts(b, re)
	default: // the beginning and end of a line, and empty classes
		return errNotECMA
	}
	return nil
}

func writeGroup(b *strings.Builder, re *syntax.Regexp) error {
	b.WriteString("(?:")
	err := writeECMA(b, re)
	b.WriteByte(')')
	return err
}

func writeParts(b *strings.Builder, re *syntax.Regexp) error {
	for i, sub := range re.Sub {
		if i > 0 && re.Op == syntax.OpAlternate {
			b.WriteByte('|')
		}
		write := writeECMA
		if re.Op == syntax.OpConcat && sub.Op == syntax.OpAlternate {
			write = writeGroup
		}
		if err := write(b, sub); err != nil {
			return err
		}
	}
	return nil
}

// writeRepeated writes the operand of a quantifier.
func writeRepeated(b *strings.Builder, re *syntax.Regexp) error {
	switch {
	case re.Op == syntax.OpCharClass, re.Op == syntax.OpAnyChar, re.Op == syntax.OpAnyCharNotNL,
		re.Op == syntax.OpCapture, re.Op == syntax.OpLiteral && len(re.Rune) == 1:
		return writeECMA(b, re)
	default:
		return writeGroup(b, re)
	}
}

func quantifier(re *syntax.Regexp) string {
	switch {
	case re.Op == syntax.OpStar:
		return "*"
	case re.Op == syntax.OpPlus:
		return "+"
	case re.Op == syntax.OpQuest:
		return "?"
	case re.Max < 0:
		return fmt.Sprintf("{%d,}", re.Min)
	case re.Max == re.Min:
		return fmt.Sprintf("{%d}", re.Min)
	default:
		return fmt.Sprintf("{%d,%d}", re.Min, re.Max)
	}
}

func writeLiteral(b *strings.Builder, r rune, fold bool) {
	other := unicode.SimpleFold(r)
	if !fold || other == r {
		writeRune(b, r, `^$\.*+?()[]{}|/`)
		return
	}
	b.WriteByte('[')
	writeRune(b, r, classSyntax)
	for ; other != r; other = unicode.SimpleFold(other) {
		writeRune(b, other, classSyntax)
	}
	b.WriteByte(']')
}

const classSyntax = `^\[]-`

// writeRune writes a character, with a backslash if it is one of the special.
func writeRune(b *strings.Builder, r rune, special string) {
	switch {
	case strings.ContainsRune(special, r):
		b.WriteByte('\\')
		b.WriteRune(r)
	case r == ' ' || unicode.IsGraphic(r) && !unicode.In(r, unicode.M, unicode.Zs):
		b.WriteRune(r)
	case r <= 0xffff:
		fmt.Fprintf(b, `\u%04x`, r)
	default:
		b.WriteString(`\u{` + strconv.FormatInt(int64(r), 16) + `}`)
	}
}

// writeClass writes a character class; ranges has the bounds of each range, in order.
func writeClass(b *strings.Builder, ranges []rune) error {
	if len(ranges) == 0 {
		return errNotECMA // nothing matches
	}
	b.WriteByte('[')
	if n := len(ranges); ranges[0] == 0 && ranges[n-1] == unicode.MaxRune && n > 2 {
		b.WriteByte('^')
		outside := make([]rune, 0, n)
		for i := 1; i+1 < n; i += 2 {
			outside = append(outside, ranges[i]+1, ranges[i+1]-1)
		}
		ranges = outside
	}
	ranges = writeProperties(b, ranges)
	if len(ranges) > 2*maxClass {
		return errNotECMA
	}
	for i := 0; i < len(ranges); i += 2 {
		low, high := ranges[i], ranges[i+1]
		writeRune(b, low, classSyntax)
		if high > low+1 {
			b.WriteByte('-')
		}
		if high > low {
			writeRune(b, high, classSyntax)
		}
	}
	b.WriteByte(']')
	return nil
}

// fewRanges is the number of ranges up to which a class is written without properties.
const fewRanges = 12

// writeProperties writes the Unicode properties that a large class contains and returns the
// remaining ranges.
func writeProperties(b *strings.Builder, ranges []rune) []rune {
	for _, p := range properties {
		if len(ranges) <= 2*fewRanges {
			break
		}
		if rest, ok := subtract(ranges, p.table); ok {
			b.WriteString(`\p{` + p.name + `}`)
			ranges = rest
		}
	}
	return ranges
}

// property is a Unicode property that ECMA-262 has a name for.
type property struct {
	name  string // in ECMA-262
	table *unicode.RangeTable
}

// properties are the categories, the wider ones first, and the scripts; without surrogates, which
// are not characters.
var properties = func() (all []property) {
	for _, length := range []int{1, 2} {
		for _, name := range slices.Sorted(maps.Keys(unicode.Categories)) {
			if len(name) == length && name != "C" && name != "Cs" && name != "Cn" && name != "LC" {
				all = append(all, property{name, unicode.Categories[name]})
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(unicode.Scripts)) {
		all = append(all, property{"Script=" + name, unicode.Scripts[name]})
	}
	return all
}()

// subtract removes the table's characters from ranges, if they contain all of them.
func subtract(ranges []rune, table *unicode.RangeTable) (rest []rune, ok bool) {
	rest = make([]rune, 0, len(ranges))
	i := 0 // the current range, of which low and above remain
	low := ranges[0]
	take := func(r rune) bool {
		for ranges[i+1] < r {
			if low <= ranges[i+1] {
				rest = append(rest, low, ranges[i+1])
			}
			if i += 2; i == len(ranges) {
				return false
			}
			low = ranges[i]
		}
		if r < low {
			return false
		}
		if r > low {
			rest = append(rest, low, r-1)
		}
		low = r + 1
		return true
	}
	var all []unicode.Range32
	for _, r := range table.R16 {
		all = append(all, unicode.Range32{Lo: uint32(r.Lo), Hi: uint32(r.Hi), Stride: uint32(r.Stride)})
	}
	for _, r := range append(all, table.R32...) {
		for c := rune(r.Lo); c <= rune(r.Hi); c += rune(r.Stride) {
			if !take(c) {
				return nil, false
			}
		}
	}
	for ; i < len(ranges); i += 2 {
		if low <= ranges[i+1] {
			rest = append(rest, low, ranges[i+1])
		}
		if i+2 < len(ranges) {
			low = ranges[i+2]
		}
	}
	return rest, true
}
