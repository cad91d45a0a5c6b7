package statement

import (
	"strings"
)

// call is a function with its arguments.
type call struct {
	w    *walker
	n    tree
	s    *scope
	name string
	args []tree
	// values are the sizes of the arguments that were looked at.
	values map[int]value
}

func (w *walker) call(n tree, s *scope) value {
	c := &call{w: w, n: n, s: s, name: lower(n, "function_name"), values: map[int]value{}}
	for _, one := range list(n, "children") {
		if arg, ok := one.(tree); ok {
			c.args = append(c.args, arg)
		}
	}
	c.receiver()
	if chance[c.name] || w.shown > 0 && (clock[c.name] || c.name == "age" && len(c.args) == 1) {
		w.changes(at(n), c.name+"()")
	}
	extra := w.sum(n, s, "children")
	v := c.size()
	v.rows, v.tables = v.rows || extra.rows, v.tables+extra.tables
	return v
}

// receiver puts the column of column.function(…) in front of the arguments.
func (c *call) receiver() {
	schema, catalog := word(c.n, "schema"), word(c.n, "catalog")
	switch strings.ToLower(schema) {
	case "", "main", "pg_catalog":
		if catalog != "" {
			c.w.fail(at(c.n), "names the catalog of a function", "name the function alone")
		}
	case "information_schema", "estela":
		c.w.fail(at(c.n), "names the schema of a function", "name the function alone")
	default:
		names := []any{schema}
		if catalog != "" {
			names = []any{catalog, schema}
		}
		c.args = append([]tree{{"class": "COLUMN_REF", "column_names": names}}, c.args...)
	}
}

// size is what the function's result takes.
func (c *call) size() value {
	kind := Kind(c.name, false)
	factors := map[string]float64{"linear": 1, "x2": 2, "x4": 4, "x8": 8, "x16": 16}
	switch {
	case patterns[c.name]:
		c.pattern()
		return c.all().sized(fixedBytes)
	case kind == "fixed":
		return c.all().sized(fixedBytes)
	case factors[kind] > 0:
		v := c.all()
		return c.charge(v.sized(factors[kind]*v.bytes + fixedBytes))
	case kind == "gather":
		v := c.all()
		return value{max(gatheredBytes, v.bytes), true, v.tables}
	case kind == "sized":
		if v, ok := c.rule(); ok {
			return c.charge(v)
		}
	}
	c.w.refuse(c.n, c.name, kind)
	return c.all()
}

func (c *call) charge(v value) value { return c.w.charge(at(c.n), c.name, v) }

// arg is the size of an argument, that of nothing if there is none. Each is looked at
// once: they may be nested deeply.
func (c *call) arg(i int) value {
	if i >= len(c.args) || word(c.args[i], "class") == "LAMBDA" {
		return value{}
	}
	v, ok := c.values[i]
	if !ok {
		v = c.w.value(c.args[i], c.s)
		c.values[i] = v
	}
	return v
}

// all is the size of the arguments together.
func (c *call) all() value { return c.rest(0) }

func (c *call) rest(from int) (v value) {
	for i := from; i < len(c.args); i++ {
		v = v.plus(c.arg(i))
	}
	return v
}

// text is the argument if it is a constant text.
func (c *call) text(i int) (string, bool) {
	if i >= len(c.args) || word(c.args[i], "class") != "CONSTANT" {
		return "", false
	}
	text, ok := sub(c.args[i], "value")["value"].(string)
	return text, ok
}

// number bounds an argument that sizes the result, and refuses it if nothing does.
func (c *call) number(i int) float64 {
	if i >= len(c.args) {
		return 1
	}
	r := c.w.interval(c.args[i])
	if !r.bounded() {
		c.w.fail(at(c.n), c.name+" is sized by a value without a bound",
			"give a constant, least(x, N), or a parameter of type integer with minimum= and maximum=")
		return 1
	}
	return max(1, r.high, -r.low)
}

// count is number where what is below 0 makes nothing.
func (c *call) count(i int) float64 {
	if i >= len(c.args) {
		return 1
	}
	r := c.w.interval(c.args[i])
	if r.high > 1e18 {
		return c.number(i)
	}
	return max(1, r.high)
}
