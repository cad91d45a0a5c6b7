package ingest

import (
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/url"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/jsontext"
)

// keywordCloudEvent is the keyword of what is wrong with a CloudEvent, whatever the contract.
const keywordCloudEvent = "cloudevent"

// cloudEvents makes events of CloudEvents 1.0: of their data, an object, and of the attributes that the
// contract names, where the data doesn't have the property itself.
type cloudEvents struct {
	contract *contract.Contract
	buf      []byte
	names    map[string]bool // of the data's properties
}

// violation is what is wrong with a CloudEvent.
func violation(pointer, message string) *event.Violation {
	return &event.Violation{Pointer: pointer, Keyword: keywordCloudEvent, Message: message}
}

// member is a member of an object: its name, and the value as it is written.
type member struct {
	name  string
	value []byte
}

// structured returns the event of a CloudEvent in JSON, valid until the next call.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
func (c *cloudEvents) structured(doc []byte) ([]byte, *event.Violation) {
	members, ok := membersOf(doc)
	if !ok || !json.Valid(doc) {
		return nil, violation("", "is no JSON object: a CloudEvent is one")
	}
	attributes, wrong := attributesOf(members)
	if wrong != nil {
		return nil, wrong
	}
	data, wrong := dataOf(attributes)
	if wrong != nil {
		return nil, wrong
	}
	return c.compose(data, func(_ contract.Shape, name string) []byte { return attributes[name] })
}

// attributesOf are the members by name. An attribute that is null is absent.
func attributesOf(members []member) (map[string][]byte, *event.Violation) {
	all := make(map[string][]byte, len(members))
	for _, m := range members {
		if _, twice := all[m.name]; twice {
			return nil, violation("/"+m.name, "is there twice")
		}
		all[m.name] = m.value
		if string(m.value) == "null" {
			all[m.name] = nil
		}
	}
	if version := all["specversion"]; string(version) != `"1.0"` {
		return nil, violation("/specversion", `must be "1.0"`)
	}
	for _, name := range []string{"id", "source", "type"} {
		if value := all[name]; len(value) < len(`"x"`) || value[0] != '"' {
			return nil, violation("/"+name, "must be a text that is not empty: CloudEvents require it")
		}
	}
	return all, nil
}

// dataOf is a structured CloudEvent's data, nil without.
func dataOf(attributes map[string][]byte) ([]byte, *event.Violation) {
	if kind := attributes["datacontenttype"]; kind != nil && !isJSON(contract.PlainText(kind)) {
		return nil, violation("/datacontenttype", "must be application/json or another type of JSON: the data is the event")
	}
	encoded := attributes["data_base64"]
	switch {
	case encoded == nil:
		return attributes["data"], nil
	case attributes["data"] != nil:
		return nil, violation("/data_base64", "is there beside data")
	}
	data, err := base64.StdEncoding.DecodeString(contract.PlainText(encoded))
	if err != nil {
		return nil, violation("/data_base64", "is not base64")
	}
	return data, nil
}

// isBinary reports whether the request is a CloudEvent in binary mode.
// https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
func isBinary(h *fasthttp.RequestHeader) bool { return len(h.Peek("Ce-Specversion")) > 0 }

// binary returns the event of a CloudEvent in binary mode: its attributes are headers, its data the
// body.
func (c *cloudEvents) binary(h *fasthttp.RequestHeader, data []byte) ([]byte, *event.Violation) {
	if jsontext.Space(data, 0) == len(data) {
		data = nil
	}
	if version, wrong := header(h, "specversion"); wrong != nil || version != "1.0" {
		return nil, violation("/specversion", `must be "1.0": the header Ce-Specversion`)
	}
	for _, name := range []string{"id", "source", "type"} {
		switch text, wrong := header(h, name); {
		case wrong != nil:
			return nil, wrong
		case text == "":
			return nil, violation("/"+name, "must be a text that is not empty: the header Ce-"+name)
		}
	}
	var wrong *event.Violation
	doc, invalid := c.compose(data, func(shape contract.Shape, name string) []byte {
		text, bad := header(h, name)
		if bad != nil {
			wrong = bad
		}
		if text == "" {
			return nil
		}
		value, _ := shape.AppendText(nil, []byte(text))
		return value
	})
	if wrong != nil {
		return nil, wrong
	}
	return doc, invalid
}

// quotedPair is an escaped byte of a quoted string (RFC 9110).
var quotedPair = regexp.MustCompile(`\\(.)`)

// header returns an attribute in binary mode, "" if it is not there. A value in quotation marks is one of an earlier
// version of the binding.
func header(h *fasthttp.RequestHeader, name string) (text string, wrong *event.Violation) {
	values := h.PeekAll("Ce-" + name)
	if name == "datacontenttype" {
		values = h.PeekAll(fiber.HeaderContentType)
	}
	switch {
	case len(values) == 0:
		return "", nil
	case len(values) > 1:
		return "", violation("/"+name, "is there twice: the header Ce-"+name)
	}
	text = string(values[0])
	if inner, ok := strings.CutPrefix(text, `"`); ok && strings.HasSuffix(inner, `"`) {
		text = quotedPair.ReplaceAllString(inner[:len(inner)-1], "$1")
	}
	text, err := url.PathUnescape(text)
	if err != nil || !utf8.ValidString(text) {
		return "", violation("/"+name, "is not percent-encoded UTF-8: the header Ce-"+name)
	}
	return text, nil
}

// isJSON reports whether a media type is one of JSON.
func isJSON(mediaType string) bool {
	kind, _, err := mime.ParseMediaType(mediaType)
	return err == nil && (kind == "application/json" || kind == "text/json" || strings.HasSuffix(kind, "+json"))
}

// compose returns the event: the attributes that fill properties which the data lacks, then the data's
// own. Its JSON is not checked.
func (c *cloudEvents) compose(data []byte, attribute func(of contract.Shape, name string) []byte) ([]byte, *event.Violation) {
	if data == nil {
		data = []byte("{}")
	}
	if len(c.contract.CloudEvents) == 0 {
		return data, nil
	}
	members, ok := membersOf(data)
	if !ok {
		return nil, violation("/data", "is no JSON object: it is the event")
	}
	clear(c.names)
	for _, m := range members {
		c.names[m.name] = true
	}
	c.buf = append(c.buf[:0], '{')
	for _, a := range c.contract.CloudEvents {
		column := &c.contract.Columns[a.Property]
		shape, _ := c.contract.Shape().Member(column.Name)
		value := attribute(shape, a.Name)
		if value == nil || c.has(column) {
			continue
		}
		c.buf = jsontext.AppendString(c.buf, column.Name)
		c.buf = append(append(append(c.buf, ':'), value...), ',')
	}
	inside := data[jsontext.Space(data, 0)+1:]
	if len(members) == 0 && len(c.buf) > 1 {
		c.buf = c.buf[:len(c.buf)-1] // no comma before the end
	}
	c.buf = append(c.buf, inside...)
	return c.buf, nil
}

// has reports whether the data has the property, under any of its names.
func (c *cloudEvents) has(column *contract.Column) bool {
	for _, alias := range column.Aliases {
		if c.names[alias] {
			return true
		}
	}
	return c.names[column.Name]
}

// membersOf lists the members of a JSON object. It checks no more than it needs to find them.
func membersOf(doc []byte) (members []member, ok bool) {
	i := jsontext.Space(doc, 0)
	if i == len(doc) || doc[i] != '{' {
		return nil, false
	}
	if i = jsontext.Space(doc, i+1); i < len(doc) && doc[i] == '}' {
		return nil, jsontext.Space(doc, i+1) == len(doc)
	}
	for i < len(doc) && doc[i] == '"' {
		end, ascii, escaped, closed := jsontext.End(doc, i+1)
		if !closed {
			return nil, false
		}
		name, _, fault := jsontext.Plain(nil, doc[i+1:end], ascii, escaped)
		if i = jsontext.Space(doc, end+1); fault != jsontext.Fine || i == len(doc) || doc[i] != ':' {
			return nil, false
		}
		from := jsontext.Space(doc, i+1)
		if i = valueEnd(doc, from); i == len(doc) {
			return nil, false
		}
		members = append(members, member{string(name), trimSpace(doc[from:i])})
		if doc[i] == '}' {
			return members, jsontext.Space(doc, i+1) == len(doc)
		}
		i = jsontext.Space(doc, i+1)
	}
	return nil, false
}

// valueEnd is where the value that begins at i ends: at the comma or brace that is in no string, object or
// array of it; len(doc) if there is none.
func valueEnd(doc []byte, i int) int {
	scan := elementScan{inObject: true}
	end, _ := scan.end(doc, i)
	return end
}

func trimSpace(p []byte) []byte {
	for len(p) > 0 && jsontext.Space(p, len(p)-1) == len(p) {
		p = p[:len(p)-1]
	}
	return p
}
