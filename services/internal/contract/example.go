package contract

import (
	"crypto/rand"
	"fmt"
	"regexp/syntax"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/estela-dev/estela/services/internal/decimal"
	"github.com/estela-dev/estela/services/internal/jsontext"
)

// Example is an event with every property that the contract names, in its order: of the contract's own examples as far
// as it has any, else of the plainest values that it allows, dates and times at now. It reports whether the contract
// takes it: no value is found for some patterns and combinations of keywords, which the person has to replace.
func (c *Contract) Example(now time.Time) (event []byte, valid bool) {
	event = c.root.example(now.UTC())
	return event, len(c.NewDecoder().Validate(event)) == 0
}

// example is a value that the schema likely takes, as JSON. An example of the contract's may be against the contract.
func (s *schema) example(now time.Time) []byte {
	switch {
	case s == nil:
		return []byte("null")
	case len(s.examples) > 0:
		return s.examples[0].raw
	case s.constant != nil:
		return []byte(s.constant.raw)
	case len(s.enum) > 0:
		return []byte(s.enum[0].raw)
	}
	switch s.kind() {
	case kindString:
		return jsontext.AppendString(nil, s.exampleText(now))
	case kindBoolean:
		return []byte("true")
	case kindInteger, kindNumber:
		return []byte(s.exampleNumber())
	case kindArray:
		return append(append([]byte("["), s.items.example(now)...), ']')
	case kindObject:
		b := []byte("{")
		for i, p := range s.properties {
			if i > 0 {
				b = append(b, ", "...)
			}
			b = append(jsontext.AppendString(b, p.name), ": "...)
			b = append(b, p.schema.example(now)...)
		}
		return append(b, '}')
	default:
		return []byte("null")
	}
}

func (s *schema) exampleText(now time.Time) string {
	switch s.format {
	case formatDateTime:
		return now.Format("2006-01-02T15:04:05Z")
	case formatDate:
		return now.Format(time.DateOnly)
	case formatUUID:
		var b [16]byte
		_, _ = rand.Read(b[:]) // never fails
		b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
		return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
	default:
	}
	text := "example"
	if s.pattern != nil {
		if re, err := syntax.Parse(s.pattern.String(), syntax.Perl); err == nil {
			text = exampleMatch(re.Simplify())
		}
	}
	if n := utf8.RuneCountInString(text); s.minLength != nil && n < *s.minLength {
		text += strings.Repeat("x", min(*s.minLength, MaxEvent)-n)
	} else if s.maxLength != nil && n > *s.maxLength {
		text = string([]rune(text)[:*s.maxLength])
	}
	return text
}

// exampleMatch is a short text that matches the expression, but for assertions such as \b.
func exampleMatch(re *syntax.Regexp) string {
	var b strings.Builder
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		b.WriteRune(exampleRune(re.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte('x')
	case syntax.OpAlternate, syntax.OpCapture, syntax.OpPlus:
		b.WriteString(exampleMatch(re.Sub[0]))
	case syntax.OpRepeat:
		b.WriteString(strings.Repeat(exampleMatch(re.Sub[0]), re.Min))
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			b.WriteString(exampleMatch(sub))
		}
	default: // of length 0: anchors, *, ?
	}
	return b.String()
}

// exampleRune is a character of the class, given as pairs of bounds: one that people write, if there is one.
func exampleRune(class []rune) rune {
	for _, usual := range []*unicode.RangeTable{unicode.Letter, unicode.Digit, unicode.Punct} {
		for i := 0; i+1 < len(class); i += 2 {
			for r := class[i]; r <= class[i+1] && r <= unicode.MaxASCII; r++ {
				if unicode.Is(usual, r) {
					return r
				}
			}
		}
	}
	if len(class) > 0 {
		return class[0]
	}
	return 'x'
}

// exampleNumber is 1 if the bounds allow it, else the first of what stands in the schema that they allow.
func (s *schema) exampleNumber() string {
	all := []string{"1", "0", "-1"}
	for _, d := range []*decimal.Decimal{s.multipleOf, s.minimum, s.maximum} {
		if d != nil {
			all = append(all, d.String())
		}
	}
	low, high := s.integers()
	all = append(all, fmt.Sprint(low), fmt.Sprint(high))
	if s.above != nil && s.below != nil {
		all = append(all, fmt.Sprint(s.above.Float()/2+s.below.Float()/2))
	}
	for _, text := range all {
		if s.takesNumber(decimal.Parse(nil, []byte(text))) {
			return text
		}
	}
	return "1"
}

func (s *schema) takesNumber(d decimal.Decimal) bool {
	return (s.minimum == nil || d.Compare(*s.minimum) >= 0) && (s.maximum == nil || d.Compare(*s.maximum) <= 0) &&
		(s.above == nil || d.Compare(*s.above) > 0) && (s.below == nil || d.Compare(*s.below) < 0) &&
		(s.multipleOf == nil || s.divisor.Divides(d)) && (s.kind() != kindInteger || d.IsInteger())
}
