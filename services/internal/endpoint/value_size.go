package endpoint

import (
	"math"
	"regexp/syntax"

	"github.com/estela-dev/estela/services/internal/statement"
)

// maxTextBytes is the length of a parameter's longest value: a request's header has 16 KiB.
const maxTextBytes = 16 << 10

// paramBounds returns the bounds of the parameters' values, by name.
func (e *Endpoint) paramBounds() map[string]statement.Param {
	all := map[string]statement.Param{}
	for _, p := range e.Params {
		all[p.Name] = p.bounds()
	}
	return all
}

func (p Param) bounds() statement.Param {
	b := statement.Param{Low: math.Inf(-1), High: math.Inf(1)}
	switch {
	case len(p.Enum) > 0:
		b.Low, b.High = math.Inf(1), math.Inf(-1)
		for _, text := range p.Enum {
			n := boundOf(p.parse(text))
			b.Low, b.High, b.Bytes = min(b.Low, n), max(b.High, n), max(b.Bytes, float64(len(text)))
		}
	case p.Type == "string":
		b.Bytes = maxTextBytes
		if p.Pattern != nil {
			b.Bytes = longest(p.Pattern.String())
		}
	}
	if p.Minimum != nil {
		b.Low = max(b.Low, boundOf(p.Minimum, nil))
	}
	if p.Maximum != nil {
		b.High = min(b.High, boundOf(p.Maximum, nil))
	}
	return b
}

func boundOf(v any, _ error) float64 {
	switch v := v.(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	default:
		return math.Inf(1)
	}
}

// longest returns the length of the longest text that an anchored pattern matches, else
// maxTextBytes.
func longest(pattern string) float64 {
	re, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil || re.Op != syntax.OpConcat || len(re.Sub) < 2 ||
		re.Sub[0].Op != syntax.OpBeginText || re.Sub[len(re.Sub)-1].Op != syntax.OpEndText {
		return maxTextBytes
	}
	return min(maxTextBytes, length(re))
}

// length returns the highest number of bytes that the expression matches.
func length(re *syntax.Regexp) (n float64) {
	const character = 4
	switch re.Op {
	case syntax.OpLiteral:
		return character * float64(len(re.Rune))
	case syntax.OpCharClass:
		if len(re.Rune) > 0 && re.Rune[len(re.Rune)-1] < 0x80 {
			return 1
		}
		return character
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return character
	case syntax.OpStar, syntax.OpPlus:
		return maxTextBytes
	case syntax.OpRepeat:
		if re.Max < 0 {
			return maxTextBytes
		}
		return float64(re.Max) * length(re.Sub[0])
	case syntax.OpAlternate:
		for _, one := range re.Sub {
			n = max(n, length(one))
		}
		return n
	default: // concatenation, capture, ?, and empty matches
		for _, one := range re.Sub {
			n += length(one)
		}
		return n
	}
}
