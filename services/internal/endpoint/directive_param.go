package endpoint

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/contract"
)

// reservedParams are parameters that every endpoint has.
var reservedParams = []string{"limit", "cursor", "format"}

var paramName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// param parses a parameter's declaration.
func (p *parser) param(value string) {
	all, description, err := parseAttributes(value)
	switch {
	case err != nil:
		p.fail(err.Error(), quoteFix)
		return
	case len(all) < 2:
		p.fail("the parameter has no name or no type", paramGrammar)
		return
	}
	q := Param{Name: all[0].text, Type: all[1].text, Description: description}
	if !p.validName(q) || p.duplicate("param "+q.Name, "the parameter "+q.Name) {
		return
	}
	if p.attributes(&q, all[2:]) {
		p.Params = append(p.Params, q)
	}
}

func (p *parser) validName(q Param) bool {
	switch {
	case !paramName.MatchString(q.Name):
		p.fail(fmt.Sprintf("%q is no name of a parameter", q.Name), "use lower case letters, digits and _, beginning with a letter")
		return false
	case slices.Contains(reservedParams, q.Name), strings.HasPrefix(q.Name, keyPrefix):
		p.fail(fmt.Sprintf("the parameter %s is reserved", q.Name), "choose another name: limit, cursor, format and what begins with cursor_ mean the same at every endpoint")
		return false
	}
	if _, ok := contract.ScalarType(q.Type); !ok {
		p.fail(fmt.Sprintf("unknown type %q", q.Type), "there are "+contract.ScalarNames)
		return false
	}
	return true
}

// attributes applies the attributes after the type. The default and the example are parsed last,
// for they must satisfy the others.
func (p *parser) attributes(q *Param, all []attribute) bool {
	given := map[string]attribute{}
	for i, w := range all {
		if _, twice := given[w.key]; twice {
			p.fail(w.key+" is given twice", "remove one of the two")
			return false
		}
		given[w.key] = w
		known, err := p.setAttribute(q, w)
		switch {
		case !known:
			p.fail(fmt.Sprintf("%q is nothing that can be said of a parameter of type %s", w.text, q.Type), unquotedHint(all, i))
			return false
		case err != nil:
			p.fail(fmt.Sprintf("%s of %s: %s", w.key, q.Name, err), "correct the value")
			return false
		}
	}
	if _, both := given["optional"]; both && q.Required {
		p.fail("the parameter is required and optional", "remove one of the two")
		return false
	}
	if !p.validEnum(*q) || !p.validRange(*q) {
		return false
	}
	if _, useless := given["default"]; useless && q.Required {
		p.fail(fmt.Sprintf("the required parameter %s has a default, which could never be used", q.Name), "remove required or the default")
		return false
	}
	return p.parseValue(*q, given, "default", &q.Default) && p.parseValue(*q, given, "example", &q.Example)
}

// setAttribute applies an attribute, except the default and the example.
func (p *parser) setAttribute(q *Param, w attribute) (known bool, err error) {
	text := ""
	if w.values != nil {
		text = w.values[0]
	}
	numeric := q.Type == "integer" || q.Type == "number"
	switch {
	case w.key == "required" && w.values == nil:
		q.Required = true
	case w.key == "optional" && w.values == nil:
		// the default
	case w.values == nil:
		return false, nil
	case w.key == "default", w.key == "example":
	case w.key == "enum" && (numeric || q.Type == "string"):
		q.Enum = w.values
		if !w.quoted && slices.Contains(w.values, "") {
			err = errors.New(`it has an empty value: write "" for the empty string`)
		}
	case w.key == "pattern" && text != "" && q.Type == "string":
		q.Pattern, err = regexp.Compile(text)
	case w.key == "minimum" && numeric:
		q.Minimum, err = q.parse(text)
	case w.key == "maximum" && numeric:
		q.Maximum, err = q.parse(text)
	default:
		return false, nil
	}
	return true, err
}

func (p *parser) validEnum(q Param) bool {
	for _, text := range q.Enum {
		if _, err := q.Value(text); err != nil {
			p.fail(fmt.Sprintf("%q in the enum of %s is not valid: it %s", text, q.Name, err), "correct the enum")
			return false
		}
	}
	return true
}

func (p *parser) validRange(q Param) bool {
	if q.Minimum != nil && q.Maximum != nil && less(q.Maximum, q.Minimum) {
		p.fail(fmt.Sprintf("the minimum of %s is above its maximum", q.Name), "exchange the two")
		return false
	}
	return true
}

// parseValue parses the default or the example, which must be valid for the parameter.
func (p *parser) parseValue(q Param, given map[string]attribute, key string, to *any) bool {
	w, ok := given[key]
	if !ok {
		return true
	}
	value, err := q.Value(w.values[0])
	if err != nil {
		p.fail(fmt.Sprintf("the %s %q of %s is not valid: it %s", key, w.values[0], q.Name, err), "correct the "+key)
		return false
	}
	*to = value
	return true
}
