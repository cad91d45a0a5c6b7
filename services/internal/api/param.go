package api

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Param is one query parameter of an endpoint.
type Param struct {
	Name string
	// Type is string, integer, number, boolean, date, date-time or uuid.
	Type     string
	Required bool
	// Default is the value of an absent parameter, of the Go type that Value
	// gives; nil is NULL.
	Default any
	// Enum are the values allowed; empty: any.
	Enum []string
	// Pattern is what a string must match, somewhere unless it is anchored.
	Pattern *regexp.Regexp
	// Minimum and Maximum bound an integer (int64) or number (float64),
	// inclusive; nil: unbounded.
	Minimum, Maximum any
	// Example is a value that shows something, of the Go type that Value gives; nil:
	// the default will do.
	Example     any
	Description string
}

// sqlTypes are the types that parameters are cast to.
var sqlTypes = map[string]string{
	"string": "VARCHAR", "integer": "BIGINT", "number": "DOUBLE", "boolean": "BOOLEAN",
	"date": "DATE", "date-time": "TIMESTAMPTZ", "uuid": "UUID",
}

// reserved are parameters with a meaning of their own at every endpoint.
var reserved = []string{"limit", "cursor", "format"}

var (
	paramName  = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)
	jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
	uuidText   = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)
)

const paramGrammar = "write -- param: NAME TYPE [required] [default=V] [enum=a,b] [pattern=RE2] [minimum=N] [maximum=N] [example=V] -- DESCRIPTION"

// Value reads the text of a parameter: string, int64, float64, bool or time.Time
// (UTC). Its error says what was expected.
func (p Param) Value(text string) (any, error) {
	value, err := p.parse(text)
	if err != nil {
		return nil, err
	}
	if len(p.Enum) > 0 && !slices.ContainsFunc(p.Enum, func(e string) bool { v, err := p.parse(e); return err == nil && v == value }) {
		return nil, fmt.Errorf("must be one of %s", strings.Join(p.Enum, ", "))
	}
	if p.Pattern != nil && !p.Pattern.MatchString(text) {
		return nil, fmt.Errorf("must match %s", p.Pattern)
	}
	if p.Minimum != nil && less(value, p.Minimum) {
		return nil, fmt.Errorf("must be at least %v", p.Minimum)
	}
	if p.Maximum != nil && less(p.Maximum, value) {
		return nil, fmt.Errorf("must be at most %v", p.Maximum)
	}
	return value, nil
}

func less(a, b any) bool {
	if i, ok := a.(int64); ok {
		j, ok := b.(int64)
		return ok && i < j
	}
	x, _ := a.(float64)
	y, _ := b.(float64)
	return x < y
}

// parse reads a value of the parameter's type, whatever else is asked of it.
func (p Param) parse(text string) (any, error) {
	switch p.Type {
	case "integer":
		if i, err := strconv.ParseInt(text, 10, 64); err == nil {
			return i, nil
		}
		return nil, errors.New("must be an integer")
	case "number":
		if f, err := strconv.ParseFloat(text, 64); err == nil && jsonNumber.MatchString(text) {
			return f, nil
		}
		return nil, errors.New("must be a number")
	case "boolean":
		if text == "true" || text == "false" {
			return text == "true", nil
		}
		return nil, errors.New("must be true or false")
	case "uuid":
		if uuidText.MatchString(text) {
			return strings.ToLower(text), nil
		}
		return nil, errors.New("must be a UUID")
	case "date", "date-time":
		return parseTime(p.Type, text)
	default:
		return text, nil
	}
}

func parseTime(kind, text string) (any, error) {
	if kind == "date" {
		if t, err := time.Parse(time.DateOnly, text); err == nil {
			return t, nil
		}
		return nil, errors.New("must be a date such as 2001-01-31")
	}
	var t time.Time
	if err := t.UnmarshalText([]byte(text)); err != nil {
		hint := ""
		if strings.Contains(text, " ") {
			hint = "; in a URL, + is written %2B"
		}
		return nil, fmt.Errorf("must be a time with its zone, such as 2001-01-31T12:00:00Z%s", hint)
	}
	return t.UTC(), nil
}

// param reads a parameter's declaration.
func (p *parser) param(value string) {
	value, description, _ := strings.Cut(value+" ", " -- ")
	fields := strings.Fields(value)
	if len(fields) < 2 {
		p.fail("the parameter has no name or no type", paramGrammar)
		return
	}
	q := Param{Name: fields[0], Type: fields[1], Description: strings.TrimSpace(description)}
	if !p.named(q) || p.repeated("param "+q.Name, "the parameter "+q.Name) {
		return
	}
	if p.attributes(&q, fields[2:]) {
		p.Params = append(p.Params, q)
	}
}

func (p *parser) named(q Param) bool {
	switch {
	case !paramName.MatchString(q.Name):
		p.fail(fmt.Sprintf("%q is no name of a parameter", q.Name), "use lower case letters, digits and _, beginning with a letter")
	case slices.Contains(reserved, q.Name), strings.HasPrefix(q.Name, keyPrefix):
		p.fail(fmt.Sprintf("the parameter %s is reserved", q.Name), "choose another name: limit, cursor, format and what begins with cursor_ mean the same at every endpoint")
	case sqlTypes[q.Type] == "":
		p.fail(fmt.Sprintf("unknown type %q", q.Type), "there are string, integer, number, boolean, date, date-time and uuid")
	default:
		return true
	}
	return false
}

// attributes reads what follows the type. The default and the example come last,
// for they must satisfy the others.
func (p *parser) attributes(q *Param, fields []string) bool {
	given := map[string]string{}
	for _, field := range fields {
		key, value, _ := strings.Cut(field, "=")
		if _, twice := given[key]; twice {
			p.fail(key+" is given twice", "remove one of the two")
			return false
		}
		given[key] = value
		if !p.attribute(q, field, key, value) {
			return false
		}
	}
	if _, both := given["optional"]; both && q.Required {
		p.fail("the parameter is required and optional", "remove one of the two")
		return false
	}
	return p.enumerated(*q) && p.bounded(*q) && p.defaulted(q, given) && p.exampled(q, given)
}

func (p *parser) attribute(q *Param, field, key, value string) (ok bool) {
	var err error
	switch {
	case field == "required":
		q.Required = true
	case field == "optional" || (key == "default" || key == "example") && field != key:
		// Optional is what a parameter is unless it is required; values come last.
	case key == "enum" && value != "" && slices.Contains([]string{"string", "integer", "number"}, q.Type):
		q.Enum = strings.Split(value, ",")
	case key == "pattern" && value != "" && q.Type == "string":
		q.Pattern, err = regexp.Compile(value)
	case key == "minimum" && (q.Type == "integer" || q.Type == "number"):
		q.Minimum, err = q.parse(value)
	case key == "maximum" && (q.Type == "integer" || q.Type == "number"):
		q.Maximum, err = q.parse(value)
	default:
		p.fail(fmt.Sprintf("%q is nothing that can be said of a parameter of type %s", field, q.Type), paramGrammar)
		return false
	}
	if err != nil {
		p.fail(fmt.Sprintf("%s of %s: %s", key, q.Name, err), "correct the value")
	}
	return err == nil
}

func (p *parser) enumerated(q Param) bool {
	for _, text := range q.Enum {
		if _, err := q.Value(text); err != nil {
			p.fail(fmt.Sprintf("%q in the enum of %s is not valid: it %s", text, q.Name, err), "correct the enum")
			return false
		}
	}
	return true
}

func (p *parser) bounded(q Param) bool {
	if q.Minimum != nil && q.Maximum != nil && less(q.Maximum, q.Minimum) {
		p.fail(fmt.Sprintf("the minimum of %s is above its maximum", q.Name), "exchange the two")
		return false
	}
	return true
}

func (p *parser) defaulted(q *Param, given map[string]string) bool {
	text, ok := given["default"]
	if !ok {
		return true
	}
	if q.Required {
		p.fail(fmt.Sprintf("the required parameter %s has a default, which could never be used", q.Name), "remove required or the default")
		return false
	}
	value, err := q.Value(text)
	if err != nil {
		p.fail(fmt.Sprintf("the default %q of %s is not valid: it %s", text, q.Name, err), "correct the default")
		return false
	}
	q.Default = value
	return true
}

func (p *parser) exampled(q *Param, given map[string]string) bool {
	text, ok := given["example"]
	if !ok {
		return true
	}
	value, err := q.Value(text)
	if err != nil {
		p.fail(fmt.Sprintf("the example %q of %s is not valid: it %s", text, q.Name, err), "correct the example")
		return false
	}
	q.Example = value
	return true
}
