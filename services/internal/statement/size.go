package statement

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// sizedResult estimates the functions whose result is not proportional to their arguments (measured in
// doc.go); false for a function without a rule.
func (c *call) sizedResult() (estimate, bool) {
	all, first := c.allArgs(), c.arg(0).bytes
	switch c.name {
	case "range", "generate_series":
		return sizeRange(c), true
	case "repeat":
		return all.withBytes(first * c.countArg(1)), true
	case "lpad", "rpad":
		return all.withBytes(first + 4*c.countArg(1)), true
	case "list_resize", "array_resize":
		return all.withBytes(first + c.countArg(1)*max(fixedBytes, c.arg(2).bytes)), true
	case "bitstring":
		return all.withBytes(first + c.countArg(1)), true
	case "bar": // DuckDB's bound is a width of 1,000
		return all.withBytes(8192), true
	case "to_base":
		return all.withBytes(128 + c.countArg(2)), true
	case "printf", "format":
		return sizeFormat(c), true
	case "strftime":
		return all.withBytes(24 * all.bytes), true
	case "replace":
		return sizeReplace(c), true
	case "regexp_replace":
		return all.withBytes((first + 1) * max(1, textBytes(c, 2))), true
	case "concat_ws":
		return all.withBytes(all.bytes + float64(len(c.args))*first), true
	case "array_to_string", "array_to_string_comma_default", "list_string_agg", "list_aggregate", "list_aggr", "array_aggregate", "array_aggr", "aggregate":
		return all.withBytes(all.bytes + first/fixedBytes*c.argsFrom(1).bytes), true
	case "list_transform", "array_transform", "list_apply", "array_apply", "apply":
		return sizeTransform(c), true
	case "list_filter", "array_filter", "filter":
		return sizeTransform(c).withBytes(first), true
	case "list_reduce", "array_reduce", "reduce":
		return sizeReduce(c), true
	case "list_select", "array_select":
		return all.withBytes(first * max(1, c.arg(1).bytes/fixedBytes)), true
	case "levenshtein", "editdist3", "damerau_levenshtein", "jaccard", "jaro_similarity", "jaro_winkler_similarity":
		// Their time is proportional to the product of their arguments.
		c.checkSize(all.withBytes(first * c.arg(1).bytes / fixedBytes))
		return all.withBytes(fixedBytes), true
	case "approx_top_k":
		return c.sizeGroupState(1, 10_000), true
	case "reservoir_quantile":
		return c.sizeGroupState(2, 100_000), true
	case "from_json", "from_json_strict", "json_transform", "json_transform_strict":
		return sizeFromJSON(c), true
	default:
		return estimate{}, false
	}
}

// textBytes is the length of an argument, without the minimal size of a value.
func textBytes(c *call, i int) float64 {
	if text, ok := c.constantText(i); ok {
		return float64(len(text))
	}
	return c.arg(i).bytes
}

// sizeRange bounds a list of numbers by both of its ends. Dates have no numeric bound and are
// rejected.
func sizeRange(c *call) estimate {
	var n float64
	switch len(c.args) {
	case 1:
		n = c.countArg(0)
	default:
		n = c.sizeArg(0) + c.sizeArg(1)
	}
	if len(c.args) > 2 {
		step := c.w.interval(c.args[2])
		if step.low < 1 && step.high > -1 {
			c.w.fault(location(c.n), c.name+" has a step that may be less than 1", "give a constant step")
		}
	}
	return c.allArgs().withBytes(n*fixedBytes + fixedBytes)
}

var digits = regexp.MustCompile(`[0-9]+`)

// sizeFormat adds the widths in the format.
func sizeFormat(c *call) estimate {
	format, ok := c.constantText(0)
	nested := regexp.MustCompile(`\{[^}]*\{|\*`).MatchString(format)
	if !ok || nested {
		c.w.fault(location(c.n), c.name+" has a format or width that is no constant", "write both into the format; lpad(x, N) pads")
	}
	width := 0.0
	for _, number := range digits.FindAllString(format, -1) {
		n, err := strconv.ParseFloat(number, 64)
		if err == nil {
			width += n
		}
	}
	// An argument may be used several times.
	uses := float64(1 + strings.Count(format, "{") + strings.Count(format, "%"))
	return c.allArgs().withBytes(c.arg(0).bytes + width + uses*c.argsFrom(1).bytes)
}

func sizeReplace(c *call) estimate {
	from := 1.0
	if text, ok := c.constantText(1); ok {
		from = float64(max(1, len(text)))
	}
	return c.allArgs().withBytes(c.arg(0).bytes * max(1, textBytes(c, 2)/from))
}

// sizeGroupState bounds an argument that sizes the state that DuckDB allocates for each group.
func (c *call) sizeGroupState(i int, most float64) estimate {
	if n := c.sizeArg(i); n > most {
		c.w.fault(location(c.n), fmt.Sprintf("%s has a size of %.0f", c.name, n), fmt.Sprintf("give at most %.0f", most))
	}
	v := c.allArgs()
	return estimate{max(gatheredBytes, v.bytes), true, v.tables}
}

// sizeFromJSON requires a constant structure without sized arrays.
func sizeFromJSON(c *call) estimate {
	text, ok := c.constantText(1)
	if !ok || regexp.MustCompile(`\[\s*[0-9]`).MatchString(text) || strings.Contains(strings.ToUpper(text), "NUM") || strings.Contains(strings.ToUpper(text), "VARINT") {
		c.w.fault(location(c.n), c.name+" has a structure with arrays of a fixed size or BIGNUM, or one that is no constant", "write it as a constant, with lists")
	}
	return c.allArgs().withBytes(8 * c.allArgs().bytes)
}

// lambda returns the parameters and the body of a lambda.
func lambda(n node) (names []string, body node) {
	eachChild(n["lhs"], nil, func(t node) {
		for _, name := range children(t, "column_names") {
			text, _ := name.(string)
			names = append(names, strings.ToLower(text))
		}
	})
	for _, name := range children(child(n, "lhs"), "column_names") {
		text, _ := name.(string)
		names = append(names, strings.ToLower(text))
	}
	return names, child(n, "expr")
}

// lambdaBody estimates a lambda's result for parameters of these sizes.
func (c *call) lambdaBody(n node, sizes ...float64) estimate {
	names, body := lambda(n)
	s := &scope{outer: c.s, lambdas: map[string]float64{}}
	c.w.depth++
	defer func() { c.w.depth-- }()
	if c.w.depth > maxDepth {
		c.w.tooDeep(location(n))
		return estimate{}
	}
	for i, name := range names {
		s.lambdas[name] = fixedBytes
		if i < len(sizes) {
			s.lambdas[name] = sizes[i]
		}
	}
	return c.w.estimate(body, s)
}

// lambdaArg returns the argument that is a lambda.
func (c *call) lambdaArg() (node, bool) {
	if len(c.args) > 1 && stringField(c.args[1], "class") == "LAMBDA" {
		return c.args[1], true
	}
	c.w.fault(location(c.n), c.name+" has no lambda that the check can read", "write x -> …")
	return nil, false
}

// sizeTransform estimates the body for each element: for elements of average size and, as it may
// grow faster than they do, for one element that is the whole list.
func sizeTransform(c *call) estimate {
	l := c.arg(0)
	n, ok := c.lambdaArg()
	if !ok {
		return l
	}
	elements := max(1, l.bytes/fixedBytes)
	mean := c.lambdaBody(n, min(l.bytes, fixedBytes))
	whole := c.lambdaBody(n, l.bytes)
	return estimate{max(elements*max(fixedBytes, mean.bytes), whole.bytes+elements*fixedBytes), l.rows || c.s.columnBytes > 0, l.tables + mean.tables}
}

// sizeReduce allows steps that add to the accumulator, not ones that multiply it.
func sizeReduce(c *call) estimate {
	l := c.arg(0).add(c.arg(2))
	n, ok := c.lambdaArg()
	if !ok {
		return l
	}
	const probe = 1 << 20
	c.w.probing++
	growth := (c.lambdaBody(n, 2*probe).bytes - c.lambdaBody(n, probe).bytes) / probe
	c.w.probing--
	if growth > 1.01 {
		c.w.fault(location(c.n), c.name+" makes a value several times as large with each element", "add to it only")
	}
	step := c.lambdaBody(n, fixedBytes)
	elements := max(1, l.bytes/fixedBytes)
	return estimate{l.bytes + elements*step.bytes, l.rows || c.s.columnBytes > 0, l.tables + step.tables}
}

// likeFunctions are the functions whose second argument is a pattern of LIKE or GLOB.
var likeFunctions = map[string]bool{
	"~~": true, "!~~": true, "~~*": true, "!~~*": true, "~~~": true,
	"like_escape": true, "not_like_escape": true, "ilike_escape": true, "not_ilike_escape": true,
}

// maxWildcards is the number of wildcards in a pattern, the exponent of the time to match a text.
const maxWildcards = 4

// checkPattern rejects patterns that could match for hours: with many wildcards, or not constant.
func (c *call) checkPattern() {
	text, ok := c.constantText(1)
	if !ok {
		c.w.fault(location(c.n), "has a pattern of LIKE, ILIKE or GLOB that is no constant: wildcards in it could keep a processor busy for hours",
			"use contains(text, x), starts_with(text, x) or ends_with(text, x), with lower() where case does not matter")
		return
	}
	plain := (c.name == "~~" || c.name == "!~~") && !strings.Contains(text, "_")
	if n := strings.Count(text, "%") + strings.Count(text, "*"); n > maxWildcards && !plain {
		c.w.fault(location(c.n), fmt.Sprintf("has a pattern with %d wildcards", n), fmt.Sprintf("use at most %d, or LIKE without _ and ESCAPE, or regexp_matches", maxWildcards))
	}
}
