package contract

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/estela-dev/estela/services/internal/automaton"
	"github.com/estela-dev/estela/services/internal/decimal"
)

const draft = "https://json-schema.org/draft/2020-12/schema"

// MaxColumns keeps a table and a decoder within reason.
const MaxColumns = 1000

var columnName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// compiler turns the tree of a contract file into a schema and notes every
// problem on the way.
type compiler struct {
	known    map[string]keyword
	problems []Problem
}

// keyword is a supported keyword of JSON Schema.
type keyword struct {
	// of are the types it says something about; none: all of them.
	of kinds
	// root allows it at the top of the file only, nested below the top only.
	root, nested bool
	compile      func(c *compiler, s *schema, n node, at string)
}

func keywords() map[string]keyword {
	const numeric = kindInteger | kindNumber
	return map[string]keyword{
		"$schema":     {root: true, compile: (*compiler).dialect},
		"$id":         {root: true, compile: (*compiler).text},
		"x-estela":    {compile: (*compiler).ofProperty},
		"title":       {compile: (*compiler).entitle},
		"$comment":    {compile: (*compiler).text},
		"description": {compile: (*compiler).describe},
		"default":     {compile: (*compiler).later},
		"examples":    {compile: (*compiler).examples},

		"type":  {compile: (*compiler).later},
		"enum":  {nested: true, compile: (*compiler).enum},
		"const": {nested: true, compile: (*compiler).constant},

		"properties":           {of: kindObject, compile: (*compiler).properties},
		"required":             {of: kindObject, compile: (*compiler).later},
		"additionalProperties": {of: kindObject, compile: (*compiler).additional},

		"items": {of: kindArray, compile: (*compiler).items},

		"pattern":   {of: kindString, compile: (*compiler).pattern},
		"format":    {of: kindString, compile: (*compiler).format},
		"minLength": {of: kindString, compile: length(func(s *schema) **int { return &s.minLength })},
		"maxLength": {of: kindString, compile: length(func(s *schema) **int { return &s.maxLength })},

		"minimum":          {of: numeric, compile: number(func(s *schema) **decimal.Decimal { return &s.minimum })},
		"maximum":          {of: numeric, compile: number(func(s *schema) **decimal.Decimal { return &s.maximum })},
		"exclusiveMinimum": {of: numeric, compile: number(func(s *schema) **decimal.Decimal { return &s.above })},
		"exclusiveMaximum": {of: numeric, compile: number(func(s *schema) **decimal.Decimal { return &s.below })},
		"multipleOf":       {of: numeric, compile: (*compiler).multipleOf},
	}
}

func (c *compiler) problem(at, format string, args ...any) {
	c.problems = append(c.problems, Problem{Pointer: at, Reason: fmt.Sprintf(format, args...)})
}

// schema compiles n, which lies at the pointer at of the file.
func (c *compiler) schema(n node, at string) *schema {
	s, before := &schema{}, len(c.problems)
	if n.kind != kindObject {
		c.problem(at, "a schema must be an object, found %s: true and false are not supported", n.raw)
		return s
	}
	root := at == ""
	if t, ok := n.get("type"); ok {
		c.types(s, t, at+"/type")
	}
	for _, m := range n.members {
		here := at + "/" + escapePointer(m.name)
		k, ok := c.known[m.name]
		switch {
		case !ok:
			c.problem(here, "keyword %q is not supported: take it out; there are %s", m.name, strings.Join(slices.Sorted(maps.Keys(c.known)), ", "))
		case k.root && !root, k.nested && root:
			c.problem(here, "%s says nothing here: %s", m.name, place(k))
		case k.of != 0 && s.kinds != kindAny && s.kinds&k.of == 0:
			c.problem(here, "%s says nothing about type %s", m.name, s.kinds)
		default:
			k.compile(c, s, m.value, here)
		}
	}
	if r, ok := n.get("required"); ok {
		c.required(s, r, at+"/required")
	}
	if len(c.problems) == before {
		c.satisfiable(s, at)
		c.reachable(s, at)
	}
	return s
}

func place(k keyword) string {
	if k.root {
		return "it belongs at the top of the file"
	}
	return "it belongs to a property"
}

// later leaves a keyword to what comes before or after the others.
func (c *compiler) later(*schema, node, string) {}

func (c *compiler) text(_ *schema, n node, at string) {
	if n.kind != kindString {
		c.problem(at, "must be a string, found %s", n.raw)
	}
}

func (c *compiler) entitle(s *schema, n node, at string) {
	c.text(s, n, at)
	s.title = n.text
}

func (c *compiler) describe(s *schema, n node, at string) {
	c.text(s, n, at)
	s.description = n.text
}

func (c *compiler) examples(s *schema, n node, at string) {
	if n.kind != kindArray {
		c.problem(at, "must be an array, found %s", n.raw)
	}
	s.examples = n.items
}

func (c *compiler) dialect(_ *schema, n node, at string) {
	if strings.TrimSuffix(n.text, "#") != draft {
		c.problem(at, "must be %q, found %s", draft, n.raw)
	}
}

// types reads "T" or ["T", "null"].
func (c *compiler) types(s *schema, n node, at string) {
	names := []node{n}
	if n.kind == kindArray {
		names = n.items
	}
	for i, name := range names {
		kind := kindNamed(name)
		if kind == 0 {
			c.problem(at, "unknown type %s: use object, array, string, number, integer or boolean, or [TYPE, \"null\"]", name.raw)
		} else if s.kinds&kind != 0 {
			c.problem(at+"/"+strconv.Itoa(i), "type %q is named twice", name.text)
		}
		s.kinds |= kind
	}
	if kind := s.kind(); s.kinds != 0 && (kind == 0 || kind&(kind-1) != 0) || len(names) == 0 {
		c.problem(at, "must be one type, or one type and \"null\", found %s", n.raw)
	}
}

func kindNamed(n node) kinds {
	for _, each := range kindNames {
		if n.kind == kindString && n.text == each.name {
			return each.kind
		}
	}
	return 0
}

func (c *compiler) properties(s *schema, n node, at string) {
	if n.kind != kindObject {
		c.problem(at, "must be an object of schemas, found %s", n.raw)
		return
	}
	s.index = make(map[string]int, len(n.members))
	for i, m := range n.members {
		s.index[m.name] = i
		s.properties = append(s.properties, property{
			name: m.name, schema: c.schema(m.value, at+"/"+escapePointer(m.name)),
		})
	}
}

func (c *compiler) required(s *schema, n node, at string) {
	if n.kind != kindArray {
		c.problem(at, "must be an array of property names, found %s", n.raw)
		return
	}
	for i, name := range n.items {
		here := at + "/" + strconv.Itoa(i)
		p, ok := s.index[name.text]
		switch {
		case name.kind != kindString:
			c.problem(here, "must be the name of a property, found %s", name.raw)
		case !ok:
			c.problem(here, "%q is not among the properties", name.text)
		case s.properties[p].required:
			c.problem(here, "%q is named twice", name.text)
		default:
			s.properties[p].required = true
			s.required = append(s.required, p)
		}
	}
}

func (c *compiler) additional(s *schema, n node, at string) {
	if n.kind != kindBoolean {
		c.problem(at, "must be true or false, found %s: a schema is not supported here", n.raw)
	}
	s.closed = string(n.raw) == "false"
}

func (c *compiler) items(s *schema, n node, at string) { s.items = c.schema(n, at) }

func (c *compiler) pattern(s *schema, n node, at string) {
	if n.kind != kindString {
		c.problem(at, "must be a string, found %s", n.raw)
		return
	}
	m, err := automaton.Compile(n.text)
	if err != nil {
		c.problem(at, "is not an RE2 expression: %v", err)
		return
	}
	s.pattern = m
}

func (c *compiler) format(s *schema, n node, at string) {
	f, ok := formatNames[n.text]
	if !ok {
		c.problem(at, "unknown format %s: there are date-time, date and uuid; for others use pattern", n.raw)
	}
	s.format = f
}

// length compiles minLength or maxLength.
func length(field func(*schema) **int) func(*compiler, *schema, node, string) {
	return func(c *compiler, s *schema, n node, at string) {
		if n.kind == kindNumber {
			if v, ok := n.decimal().Int64(); ok && v >= 0 {
				i := int(v)
				*field(s) = &i
				return
			}
		}
		c.problem(at, "must be an integer of at least 0, found %s", n.raw)
	}
}

// number compiles a bound.
func number(field func(*schema) **decimal.Decimal) func(*compiler, *schema, node, string) {
	return func(c *compiler, s *schema, n node, at string) {
		if n.kind != kindNumber {
			c.problem(at, "must be a number, found %s", n.raw)
			return
		}
		d := n.decimal()
		*field(s) = &d
	}
}

func (c *compiler) multipleOf(s *schema, n node, at string) {
	if n.kind != kindNumber {
		c.problem(at, "must be a number, found %s", n.raw)
		return
	}
	d := n.decimal()
	divisor, ok := d.Divisor()
	if !ok {
		c.problem(at, "must be above 0 and have at most %d significant digits, found %s", decimal.MaxDivisorDigits, n.raw)
		return
	}
	s.multipleOf, s.divisor = &d, divisor
}

func (c *compiler) enum(s *schema, n node, at string) {
	if n.kind != kindArray || len(n.items) == 0 {
		c.problem(at, "must be an array of at least one value, found %s", n.raw)
		return
	}
	for i, item := range n.items {
		k := newConstant(item)
		if slices.ContainsFunc(s.enum, func(other constant) bool { return other.equals(k.kind, []byte(k.form)) }) {
			c.problem(at+"/"+strconv.Itoa(i), "%s is listed twice", item.raw)
		}
		s.enum = append(s.enum, k)
	}
}

func (c *compiler) constant(s *schema, n node, _ string) {
	k := newConstant(n)
	s.constant = &k
}

func newConstant(n node) constant {
	k := constant{kind: n.kind, raw: string(n.raw), form: n.text}
	if n.kind != kindString {
		k.form = string(canonicalOf(n.raw))
	}
	return k
}
