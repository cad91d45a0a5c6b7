package statement

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// rule sizes the functions whose result is not in proportion to their arguments, as
// doc.go has measured them. It says false for a function that it does not know.
func (c *call) rule() (value, bool) {
	all, first := c.all(), c.arg(0).bytes
	switch c.name {
	case "range", "generate_series":
		return sizeRange(c), true
	case "repeat":
		return all.sized(first * c.count(1)), true
	case "lpad", "rpad":
		return all.sized(first + 4*c.count(1)), true
	case "list_resize", "array_resize":
		return all.sized(first + c.count(1)*max(fixedBytes, c.arg(2).bytes)), true
	case "bitstring":
		return all.sized(first + c.count(1)), true
	case "bar": // DuckDB's bound is a width of 1,000
		return all.sized(8192), true
	case "to_base":
		return all.sized(128 + c.count(2)), true
	case "printf", "format":
		return sizeFormat(c), true
	case "strftime":
		return all.sized(24 * all.bytes), true
	case "replace":
		return sizeReplace(c), true
	case "regexp_replace":
		return all.sized((first + 1) * max(1, tight(c, 2))), true
	case "concat_ws":
		return all.sized(all.bytes + float64(len(c.args))*first), true
	case "array_to_string", "array_to_string_comma_default", "list_string_agg", "list_aggregate", "list_aggr", "array_aggregate", "array_aggr", "aggregate":
		return all.sized(all.bytes + first/fixedBytes*c.rest(1).bytes), true
	case "list_transform", "array_transform", "list_apply", "array_apply", "apply":
		return sizeTransform(c), true
	case "list_filter", "array_filter", "filter":
		return sizeTransform(c).sized(first), true
	case "list_reduce", "array_reduce", "reduce":
		return sizeReduce(c), true
	case "list_select", "array_select":
		return all.sized(first * max(1, c.arg(1).bytes/fixedBytes)), true
	case "levenshtein", "editdist3", "damerau_levenshtein", "jaccard", "jaro_similarity", "jaro_winkler_similarity":
		// They take time by the product of their arguments.
		c.charge(all.sized(first * c.arg(1).bytes / fixedBytes))
		return all.sized(fixedBytes), true
	case "approx_top_k":
		return c.state(1, 10_000), true
	case "reservoir_quantile":
		return c.state(2, 100_000), true
	case "from_json", "from_json_strict", "json_transform", "json_transform_strict":
		return sizeFromJSON(c), true
	default:
		return value{}, false
	}
}

// tight is the length of an argument, without the room that a value takes at least.
func tight(c *call, i int) float64 {
	if text, ok := c.text(i); ok {
		return float64(len(text))
	}
	return c.arg(i).bytes
}

// sizeRange bounds a list of numbers by both of its ends. One of dates is none: its ends
// are no numbers.
func sizeRange(c *call) value {
	var n float64
	switch len(c.args) {
	case 1:
		n = c.count(0)
	default:
		n = c.number(0) + c.number(1)
	}
	if len(c.args) > 2 {
		step := c.w.interval(c.args[2])
		if step.low < 1 && step.high > -1 {
			c.w.fail(at(c.n), c.name+" has a step that may be less than 1", "give a constant step")
		}
	}
	return c.all().sized(n*fixedBytes + fixedBytes)
}

var digits = regexp.MustCompile(`[0-9]+`)

// sizeFormat adds the widths that the format names.
func sizeFormat(c *call) value {
	format, ok := c.text(0)
	nested := regexp.MustCompile(`\{[^}]*\{|\*`).MatchString(format)
	if !ok || nested {
		c.w.fail(at(c.n), c.name+" has a format or width that is no constant", "write both into the format; lpad(x, N) pads")
	}
	width := 0.0
	for _, number := range digits.FindAllString(format, -1) {
		n, err := strconv.ParseFloat(number, 64)
		if err == nil {
			width += n
		}
	}
	// An argument may stand in it several times.
	uses := float64(1 + strings.Count(format, "{") + strings.Count(format, "%"))
	return c.all().sized(c.arg(0).bytes + width + uses*c.rest(1).bytes)
}

func sizeReplace(c *call) value {
	from := 1.0
	if text, ok := c.text(1); ok {
		from = float64(max(1, len(text)))
	}
	return c.all().sized(c.arg(0).bytes * max(1, tight(c, 2)/from))
}

// state bounds an argument by which DuckDB makes room for each group.
func (c *call) state(i int, most float64) value {
	if n := c.number(i); n > most {
		c.w.fail(at(c.n), fmt.Sprintf("%s has a size of %.0f", c.name, n), fmt.Sprintf("give at most %.0f", most))
	}
	v := c.all()
	return value{max(gatheredBytes, v.bytes), true, v.tables}
}

// sizeFromJSON wants a structure that it can read, for an array in it has a size.
func sizeFromJSON(c *call) value {
	text, ok := c.text(1)
	if !ok || regexp.MustCompile(`\[\s*[0-9]`).MatchString(text) || strings.Contains(strings.ToUpper(text), "NUM") || strings.Contains(strings.ToUpper(text), "VARINT") {
		c.w.fail(at(c.n), c.name+" has a structure with arrays of a fixed size or BIGNUM, or one that is no constant", "write it as a constant, with lists")
	}
	return c.all().sized(8 * c.all().bytes)
}

// lambda is the parameters and the body of a lambda.
func lambda(n tree) (names []string, body tree) {
	inside(n["lhs"], nil, func(t tree) {
		for _, name := range list(t, "column_names") {
			text, _ := name.(string)
			names = append(names, strings.ToLower(text))
		}
	})
	for _, name := range list(sub(n, "lhs"), "column_names") {
		text, _ := name.(string)
		names = append(names, strings.ToLower(text))
	}
	return names, sub(n, "expr")
}

// body is the size of a lambda's result where its parameters have these.
func (c *call) body(n tree, sizes ...float64) value {
	names, body := lambda(n)
	s := &scope{outer: c.s, lambdas: map[string]float64{}}
	c.w.depth++
	defer func() { c.w.depth-- }()
	if c.w.depth > maxDepth {
		c.w.tooDeep(at(n))
		return value{}
	}
	for i, name := range names {
		s.lambdas[name] = fixedBytes
		if i < len(sizes) {
			s.lambdas[name] = sizes[i]
		}
	}
	return c.w.value(body, s)
}

// lambdaArg is the argument that is a lambda.
func (c *call) lambdaArg() (tree, bool) {
	if len(c.args) > 1 && word(c.args[1], "class") == "LAMBDA" {
		return c.args[1], true
	}
	c.w.fail(at(c.n), c.name+" has no lambda that the check can read", "write x -> …")
	return nil, false
}

// sizeTransform is the size of the body for each element: for the elements as they
// are on average and, as it may grow faster than they do, for one that is the whole.
func sizeTransform(c *call) value {
	l := c.arg(0)
	n, ok := c.lambdaArg()
	if !ok {
		return l
	}
	elements := max(1, l.bytes/fixedBytes)
	mean := c.body(n, min(l.bytes, fixedBytes))
	whole := c.body(n, l.bytes)
	return value{max(elements*max(fixedBytes, mean.bytes), whole.bytes+elements*fixedBytes), l.rows || c.s.unit > 0, l.tables + mean.tables}
}

// sizeReduce lets each step add to what there is, not multiply it.
func sizeReduce(c *call) value {
	l := c.arg(0).plus(c.arg(2))
	n, ok := c.lambdaArg()
	if !ok {
		return l
	}
	const probe = 1 << 20
	c.w.quiet++
	growth := (c.body(n, 2*probe).bytes - c.body(n, probe).bytes) / probe
	c.w.quiet--
	if growth > 1.01 {
		c.w.fail(at(c.n), c.name+" makes a value several times as large with each element", "add to it only")
	}
	step := c.body(n, fixedBytes)
	elements := max(1, l.bytes/fixedBytes)
	return value{l.bytes + elements*step.bytes, l.rows || c.s.unit > 0, l.tables + step.tables}
}

// patterns are the functions whose second argument is a pattern of LIKE or GLOB.
var patterns = map[string]bool{
	"~~": true, "!~~": true, "~~*": true, "!~~*": true, "~~~": true,
	"like_escape": true, "not_like_escape": true, "ilike_escape": true, "not_ilike_escape": true,
}

// maxWildcards is how many may stand in a pattern: the time to match grows with the
// length of the text to that power.
const maxWildcards = 4

// pattern refuses patterns that take no end: with many wildcards, or of a client's making.
func (c *call) pattern() {
	text, ok := c.text(1)
	if !ok {
		c.w.fail(at(c.n), "has a pattern of LIKE, ILIKE or GLOB that is no constant: wildcards in it could keep a processor busy for hours",
			"use contains(text, x), starts_with(text, x) or ends_with(text, x), with lower() where case does not matter")
		return
	}
	plain := (c.name == "~~" || c.name == "!~~") && !strings.Contains(text, "_")
	if n := strings.Count(text, "%") + strings.Count(text, "*"); n > maxWildcards && !plain {
		c.w.fail(at(c.n), fmt.Sprintf("has a pattern with %d wildcards", n), fmt.Sprintf("use at most %d, or LIKE without _ and ESCAPE, or regexp_matches", maxWildcards))
	}
}
