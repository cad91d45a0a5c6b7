package statement

import (
	"strings"
)

// call is a function call.
type call struct {
	w    *walker
	n    node
	s    *scope
	name string
	args []node
	// values caches the arguments' estimates.
	values map[int]estimate
}

func (w *walker) call(n node, s *scope) estimate {
	c := &call{w: w, n: n, s: s, name: lowerField(n, "function_name"), values: map[int]estimate{}}
	for _, one := range children(n, "children") {
		if arg, ok := one.(node); ok {
			c.args = append(c.args, arg)
		}
	}
	c.normalizeMethodCall()
	if randomFunctions[c.name] || w.selectDepth > 0 && (clockFunctions[c.name] || c.name == "age" && len(c.args) == 1) {
		w.nondeterministic(location(n), c.name+"()")
	}
	extra := w.sumChildren(n, s, "children")
	v := c.size()
	v.rows, v.tables = v.rows || extra.rows, v.tables+extra.tables
	return v
}

// normalizeMethodCall makes the column of column.function(…) the first argument.
func (c *call) normalizeMethodCall() {
	schema, catalog := stringField(c.n, "schema"), stringField(c.n, "catalog")
	switch strings.ToLower(schema) {
	case "", "main", "pg_catalog":
		if catalog != "" {
			c.w.fault(location(c.n), "names the catalog of a function", "name the function alone")
		}
	case "information_schema", "estela":
		c.w.fault(location(c.n), "names the schema of a function", "name the function alone")
	default:
		names := []any{schema}
		if catalog != "" {
			names = []any{catalog, schema}
		}
		c.args = append([]node{{"class": "COLUMN_REF", "column_names": names}}, c.args...)
	}
}

// size estimates the function's result.
func (c *call) size() estimate {
	kind := Kind(c.name, false)
	factors := map[string]float64{"linear": 1, "x2": 2, "x4": 4, "x8": 8, "x16": 16}
	switch {
	case likeFunctions[c.name]:
		c.checkPattern()
		return c.allArgs().withBytes(fixedBytes)
	case kind == "fixed":
		return c.allArgs().withBytes(fixedBytes)
	case factors[kind] > 0:
		v := c.allArgs()
		return c.checkSize(v.withBytes(factors[kind]*v.bytes + fixedBytes))
	case kind == "gather":
		v := c.allArgs()
		return estimate{max(gatheredBytes, v.bytes), true, v.tables}
	case kind == "sized":
		if v, ok := c.sizedResult(); ok {
			return c.checkSize(v)
		}
	}
	c.w.refuse(c.n, c.name, kind)
	return c.allArgs()
}

func (c *call) checkSize(v estimate) estimate { return c.w.checkSize(location(c.n), c.name, v) }

// arg estimates an argument, zero if there is none. Each is walked once, for they may be nested
// deeply.
func (c *call) arg(i int) estimate {
	if i >= len(c.args) || stringField(c.args[i], "class") == "LAMBDA" {
		return estimate{}
	}
	v, ok := c.values[i]
	if !ok {
		v = c.w.estimate(c.args[i], c.s)
		c.values[i] = v
	}
	return v
}

// allArgs is the sum of the arguments' estimates.
func (c *call) allArgs() estimate { return c.argsFrom(0) }

func (c *call) argsFrom(from int) (v estimate) {
	for i := from; i < len(c.args); i++ {
		v = v.add(c.arg(i))
	}
	return v
}

// constantText returns the argument if it is a constant text.
func (c *call) constantText(i int) (string, bool) {
	if i >= len(c.args) || stringField(c.args[i], "class") != "CONSTANT" {
		return "", false
	}
	text, ok := child(c.args[i], "value")["value"].(string)
	return text, ok
}

// sizeArg returns the bound of an argument that sizes the result; one without a bound is a fault.
func (c *call) sizeArg(i int) float64 {
	if i >= len(c.args) {
		return 1
	}
	r := c.w.interval(c.args[i])
	if !r.bounded() {
		c.w.fault(location(c.n), c.name+" is sized by a value without a bound",
			"give a constant, least(x, N), or a parameter of type integer with minimum= and maximum=")
		return 1
	}
	return max(1, r.high, -r.low)
}

// countArg is sizeArg for a count, of which negative values are empty.
func (c *call) countArg(i int) float64 {
	if i >= len(c.args) {
		return 1
	}
	r := c.w.interval(c.args[i])
	if r.high > 1e18 {
		return c.sizeArg(i)
	}
	return max(1, r.high)
}
