package scaffold

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/estela-dev/estela/services/internal/inference"
)

// dedupeWindow is for how long a row that is published again is found: files are mostly sent by hand,
// and again after days.
const dedupeWindow = "30d"

// maxExamples is how many values a property lists as examples.
const maxExamples = 10

// member is a member of an object, in the order in which it is written.
type member struct {
	name  string
	value json.RawMessage
}

func quoted(text string) json.RawMessage { return marshal(text) }

// marshal writes a value as JSON, with < and & as they are.
func marshal(v any) json.RawMessage {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // texts, numbers and slices of them have no error
	return bytes.TrimRight(b.Bytes(), "\n")
}

// list writes an array of texts.
func list(texts []string) json.RawMessage {
	values := make([]json.RawMessage, len(texts))
	for i, text := range texts {
		values[i] = quoted(text)
	}
	return array(values)
}

func array(values []json.RawMessage) json.RawMessage {
	texts := make([]string, len(values))
	for i, v := range values {
		texts[i] = string(v)
	}
	return json.RawMessage("[" + strings.Join(texts, ", ") + "]")
}

// object writes members on one line, or, below indent, each on its own.
func object(members []member, indent string) json.RawMessage {
	open, between, end := "{", ", ", "}"
	if indent != "" {
		open, between, end = "{\n"+indent+"  ", ",\n"+indent+"  ", "\n"+indent+"}"
	}
	lines := make([]string, len(members))
	for i, m := range members {
		lines[i] = string(quoted(m.name)) + ": " + string(m.value)
	}
	return json.RawMessage(open + strings.Join(lines, between) + end)
}

// Contract returns the text of contract.json.
func (s *Survey) Contract() []byte {
	var properties []member
	var required []string
	for i := range s.Columns {
		c := &s.Columns[i]
		properties = append(properties, member{c.Property, object(s.property(i), "    ")})
		if s.required(i) {
			required = append(required, c.Property)
		}
	}
	if s.madeKey() {
		required = append(required, s.keyName())
		properties = append(properties, member{s.keyName(), object([]member{
			{"type", quoted("string")},
			{"description", quoted("Made by mapping.sql: a hash of the row, and which one of the rows equal to it the row is.")},
		}, "    ")})
	}
	root := []member{
		{"$schema", quoted("https://json-schema.org/draft/2020-12/schema")},
		{"title", quoted(s.Name)},
		{"description", quoted(s.description())},
		{"type", quoted("object")},
		{"x-estela", object(s.annotation(), "")},
		{"required", list(required)},
		{"properties", object(properties, "  ")},
	}
	lines := make([]string, len(root))
	for i, m := range root {
		lines[i] = "  " + string(quoted(m.name)) + ": " + string(m.value)
	}
	return []byte("{\n" + strings.Join(lines, ",\n") + "\n}\n")
}

func (s *Survey) annotation() []member {
	var all []member
	switch names := s.keyNames(); len(names) {
	case 0:
	case 1:
		all = append(all, member{"key", quoted(names[0])})
	default:
		all = append(all, member{"key", list(names)})
	}
	if s.Time >= 0 {
		all = append(all, member{"time", quoted(s.Columns[s.Time].Property)})
	}
	if s.Stream == nil {
		return append(all, member{"dedupe", quoted(dedupeWindow)})
	}
	stream := []member{{"key", quoted(s.Stream.Key)}}
	if s.Stream.Field != "" {
		stream = append(stream, member{"field", quoted(s.Stream.Field)})
	}
	return append(all, member{"stream", object(stream, "")})
}

// description says where the contract is from, and what was decided.
func (s *Survey) description() string {
	text := fmt.Sprintf("Inferred by estela init from %s of %s. %s", counted(s.Rows, "row"), s.from(), sentence("key: "+s.KeyReason()))
	return text + " " + sentence("time: "+s.TimeReason())
}

func counted(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func sentence(text string) string {
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:] + "."
}

// property is the schema of a column.
func (s *Survey) property(at int) []member {
	c := &s.Columns[at]
	kind := quoted(c.Type)
	if (c.Null || s.Stream != nil && !s.Format.IsTable()) && !s.required(at) { // a later entry may have it
		kind = list([]string{c.Type, "null"})
	}
	all := []member{{"type", kind}}
	if c.Format != "" {
		all = append(all, member{"format", quoted(c.Format)})
	}
	if s.isEnum(c) {
		all = append(all, member{"enum", array(listed(c.Values, c.Type))})
	}
	low, high := s.bounds(c)
	if low != "" {
		all = append(all, member{"minimum", json.RawMessage(low)})
	}
	if high != "" {
		all = append(all, member{"maximum", json.RawMessage(high)})
	}
	if c.Name != c.Property {
		all = append(all, member{"title", quoted(c.Name)})
	}
	all = append(all, member{"description", quoted(s.about(at))})
	if examples := s.examples(c); len(examples) > 0 {
		all = append(all, member{"examples", array(examples)})
	}
	if c.Name != c.Property {
		all = append(all, member{"x-estela", object([]member{{"aliases", list([]string{c.Name})}}, "")})
	}
	return all
}

// kinds are the types and formats in words.
var kinds = map[string]string{
	"string": "text", "date": "date", "date-time": "time", "uuid": "UUID", "integer": "integer", "number": "number",
	"boolean": "true or false", "object": "object", "array": "list",
}

// about describes what was inferred of a column.
func (s *Survey) about(at int) string {
	c := &s.Columns[at]
	text := kinds[kindOf(c)]
	if (c.Type == "integer" || c.Type == "number") && c.Low <= c.High {
		text += fmt.Sprintf(" from %s to %s", plainNumber(c.Low), plainNumber(c.High))
	}
	switch {
	case c.Count == 0:
		text = ""
	case c.Present && s.required(at):
		text += " in every row"
	case c.Present && s.Stream != nil:
		text += fmt.Sprintf(" in each of the %d entries that were read", s.Rows)
	case c.Present:
		text += fmt.Sprintf(" in every row, and not required, for there were only %d", s.Rows)
	default:
		text += fmt.Sprintf(" in %d of %s", c.Count, counted(s.Rows, "row"))
	}
	if s.isEnum(c) {
		text += fmt.Sprintf("; one of %d values, the last of which came in the first tenth of the rows: add others before they come", c.Distinct)
	} else if c.Type == "string" && c.Format == "" && c.Distinct > 1 && c.Distinct <= maxExamples && c.Repeats {
		text += fmt.Sprintf("; %d different values, listed as examples, and others are valid", c.Distinct)
	}
	return sentence(join(text, c.Note))
}

// plainNumber writes a number as people do.
func plainNumber(x float64) string {
	if x > 1e15 || x < -1e15 {
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return strconv.FormatFloat(x, 'f', -1, 64)
}

// examples are some values of the column, as JSON of its type.
func (s *Survey) examples(c *inference.Column) (all []json.RawMessage) {
	values := []string{c.Example}
	if c.Type == "string" && c.Format == "" && c.Repeats && len(c.Values) > 0 {
		values = c.Values[:min(len(c.Values), maxExamples)]
	}
	if c.Layout != inference.Plain || c.Mixed || c.Type == "object" || c.Type == "array" || s.isEnum(c) {
		return nil
	}
	return listed(values, c.Type)
}

// listed are values of a file as JSON of the type.
func listed(values []string, kind string) (all []json.RawMessage) {
	for _, v := range values {
		if value := typed(v, kind); value != nil {
			all = append(all, value)
		}
	}
	return all
}

// typed is a value of a file as JSON of the type, nil if it is none.
func typed(value, kind string) json.RawMessage {
	var text string
	if value == "" || len(value) > 200 {
		return nil
	}
	if json.Unmarshal([]byte(value), &text) != nil || value[0] != '"' || kind == "string" {
		return json.RawMessage(value)
	}
	if kind == "boolean" {
		if _, err := strconv.ParseBool(text); err != nil {
			return nil
		}
	}
	return json.RawMessage(text)
}
