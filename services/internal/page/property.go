package page

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/endpoint"
)

// property is a property of a contract in words.
type property struct {
	// Name is its path from the event, such as route.stops[].
	Name, Type, Title, Meaning, Unit, Example string
	Rules                                     []string
}

// lawsOf are what the contract says of all events.
func lawsOf(v view, c *contract.Contract) []law {
	names := func(columns ...int) string {
		var all []string
		for _, i := range columns {
			if i >= 0 {
				all = append(all, c.Columns[i].Name)
			}
		}
		return strings.Join(all, ", ")
	}
	or := func(text, none string) string {
		if text == "" {
			return none
		}
		return text
	}
	dedupe, retention := v.T("duplicates are kept"), v.T("forever")
	if c.Dedupe > 0 {
		dedupe = fmt.Sprintf(v.T("an event whose key was stored within %s is dropped"), daysOf(v, c.Dedupe))
	}
	if c.Retention > 0 {
		retention = daysOf(v, c.Retention)
	}
	laws := []law{
		{v.T("Key"), or(names(c.Key...), v.T("none: each event is one of its own"))},
		{v.T("Time"), or(names(c.Time), v.T("none: that of the stream's entry"))},
		{v.T("Shards"), v.Number(int64(c.Shards))},
		{v.T("Duplicates"), dedupe},
		{v.T("Rows are kept"), retention},
		{v.T("Version"), c.Version},
	}
	if c.Shards > 1 {
		laws = append(laws[:3], append([]law{{v.T("Partition"), names(c.Partition)}}, laws[3:]...)...)
	}
	if c.Stream != nil {
		laws = append(laws, law{v.T("Stream"), c.Stream.String()})
	}
	if c.Shape().Closed() {
		laws = append(laws, law{v.T("Other properties"), v.T("refused")})
	} else {
		laws = append(laws, law{v.T("Other properties"), v.T("allowed, and left out of the rows")})
	}
	return laws
}

// daysOf writes a duration of a contract.
func daysOf(v view, d time.Duration) string {
	const day = 24 * time.Hour
	if d%day == 0 {
		if d == day {
			return v.T("a day")
		}
		return v.Number(int64(d/day)) + " " + v.T("days")
	}
	text := d.String()
	for _, zero := range []string{"m0s", "h0m"} {
		if strings.HasSuffix(text, zero) {
			text = text[:len(text)-2]
		}
	}
	return text
}

// schemaNode is an object of the contract's file, by keyword.
type schemaNode map[string]json.RawMessage

func nodeOf(raw json.RawMessage) (n schemaNode) {
	_ = json.Unmarshal(raw, &n) // compiled before: a contract that is none has no page
	return n
}

func (n schemaNode) text(keyword string) string {
	if n[keyword] == nil {
		return ""
	}
	return contract.PlainText(n[keyword])
}

// propertiesOf are the contract's properties, those within each below it.
func propertiesOf(v view, c *contract.Contract) []property {
	return appendProperties(nil, v, "", nodeOf(c.Schema))
}

func appendProperties(all []property, v view, at string, parent schemaNode) []property {
	names, schemas, err := endpoint.Members(parent["properties"])
	if err != nil {
		return all // it names none
	}
	var required []string
	_ = json.Unmarshal(parent["required"], &required) // as above
	for i, name := range names {
		n := nodeOf(schemas[i])
		p := newProperty(v, at+name, n)
		for _, r := range required {
			if r == name {
				p.Rules = append([]string{v.T("required")}, p.Rules...)
			}
		}
		all = appendProperties(append(all, p), v, at+name+".", n)
		below := at + name
		for items := n["items"]; items != nil; items = n["items"] {
			n, below = nodeOf(items), below+"[]"
			if n["properties"] != nil || n["description"] != nil || n["items"] != nil {
				all = appendProperties(append(all, newProperty(v, below, n)), v, below+".", n)
			}
		}
	}
	return all
}

func newProperty(v view, name string, n schemaNode) property {
	kind, null := typeOf(v, n)
	p := property{Name: name, Type: kind, Title: n.text("title"), Meaning: n.text("description"), Rules: rulesOf(v, n)}
	if null {
		p.Rules = append([]string{v.T("may be null")}, p.Rules...)
	}
	var own struct {
		Unit    string
		Aliases []string
	}
	_ = json.Unmarshal(n["x-estela"], &own) // as above
	p.Unit = own.Unit
	if len(own.Aliases) > 0 {
		p.Rules = append(p.Rules, v.T("also called")+" "+strings.Join(own.Aliases, ", "))
	}
	var examples []json.RawMessage
	if _ = json.Unmarshal(n["examples"], &examples); len(examples) > 0 {
		p.Example = contract.PlainText(examples[0])
	}
	return p
}

// typeOf is a schema's type in words, and whether it is one or null.
func typeOf(v view, n schemaNode) (text string, null bool) {
	var name string
	if json.Unmarshal(n["type"], &name) != nil {
		var several []string
		_ = json.Unmarshal(n["type"], &several)
		for _, one := range several {
			if one == "null" {
				null = true
			} else {
				name = one
			}
		}
	}
	switch name {
	case "string":
		switch n.text("format") {
		case "date-time":
			return v.T("date and time"), null
		case "date":
			return v.T("date"), null
		case "uuid":
			return "UUID", null
		default:
			return v.T("text"), null
		}
	case "integer":
		return v.T("whole number"), null
	case "number":
		return v.T("number"), null
	case "boolean":
		return v.T("true or false"), null
	case "array":
		if items := n["items"]; items != nil {
			of, _ := typeOf(v, nodeOf(items))
			return v.T("list of") + ": " + of, null
		}
		return v.T("list"), null
	case "object":
		return v.T("object"), null
	default:
		return v.T("any"), null
	}
}

// rulesOf are a schema's constraints in words.
func rulesOf(v view, n schemaNode) (all []string) {
	for _, rule := range []struct{ keyword, text string }{
		{"const", v.T("always %s")},
		{"minimum", v.T("at least %s")},
		{"exclusiveMinimum", v.T("more than %s")},
		{"maximum", v.T("at most %s")},
		{"exclusiveMaximum", v.T("less than %s")},
		{"multipleOf", v.T("a multiple of %s")},
		{"minLength", v.T("at least %s characters")},
		{"maxLength", v.T("at most %s characters")},
		{"pattern", v.T("matches %s")},
		{"default", v.T("%s is meant where it is absent")},
	} {
		if n[rule.keyword] != nil {
			all = append(all, strings.Replace(rule.text, "%s", n.text(rule.keyword), 1))
		}
	}
	var enum []json.RawMessage
	if _ = json.Unmarshal(n["enum"], &enum); len(enum) > 0 {
		texts := make([]string, len(enum))
		for i, raw := range enum {
			texts[i] = contract.PlainText(raw)
		}
		all = append(all, v.T("one of")+" "+strings.Join(texts, ", "))
	}
	return all
}
