package api

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// object is a JSON object; encoding/json writes its keys in order.
type object = map[string]any

// openAPI is the answer of GET /openapi.json: an OpenAPI 3.1 document with one operation an endpoint,
// from the endpoint files and, once they are known, the columns they answer with.
func (s *Server) openAPI(k *catalog) ([]byte, error) {
	paths := object{}
	for _, r := range k.ordered {
		paths[r.path] = object{"get": s.operation(r)}
	}
	document := object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Estela", "version": "1",
			"description": "Each operation is a SQL file; its header is this documentation. " +
				"Errors are problem documents (RFC 9457) whose type is [one of these pages](/docs/problems).",
		},
		"servers": []object{{"url": "/"}},
		"tags":    tags(k.datasets),
		"paths":   paths,
		"components": object{
			"schemas":   object{"Meta": metaSchema(), "Problem": problemSchema()},
			"headers":   answerHeaders(),
			"responses": object{"Problem": response("What is wrong, and what to do.", "application/problem+json", ref("schemas/Problem"))},
		},
	}
	if s.cfg.Keys != nil {
		document["security"] = []object{{"key": []string{}}}
		document["components"].(object)["securitySchemes"] = object{"key": object{"type": "http", "scheme": "bearer"}} //nolint:forcetypeassert // from above
	}
	body, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("write OpenAPI document: %w", err)
	}
	return append(body, '\n'), nil
}

func tags(datasets []Dataset) []object {
	all := make([]object, len(datasets))
	for i, d := range datasets {
		all[i] = object{"name": d.Name}
		if d.Description != "" {
			all[i]["description"] = d.Description
		}
	}
	return all
}

func ref(component string) object { return object{"$ref": "#/components/" + component} }

func (s *Server) operation(r *route) object {
	params := []object{}
	for _, p := range r.Params {
		q := parameter(p.Name, p.Description, p.Required, paramSchema(p))
		if p.Example != nil {
			q["example"] = shown(p, p.Example)
		}
		params = append(params, q)
	}
	if len(r.Order) > 0 {
		most := r.maxRows(s.cfg)
		params = append(
			params,
			parameter("limit", "Rows in the page.", false, object{
				"type": "integer", "minimum": 1, "maximum": most, "default": min(s.cfg.PageRows, most),
			}),
			parameter("cursor", "Where the page begins: meta.next, or the Link header, of the page before.", false, object{"type": "string"}),
		)
	}
	names := make([]string, len(r.offers))
	for i, f := range r.offers {
		names[i] = f.name
	}
	params = append(params, parameter("format", "What the answer is written in; it goes before Accept.", false, object{"type": "string", "enum": names}))
	op := object{
		"operationId": r.dataset + "_" + r.Name,
		"tags":        []string{r.dataset},
		"summary":     r.Summary,
		"parameters":  params,
		"responses": object{
			"200":     object{"description": "The rows.", "headers": headerRefs(), "content": r.content()},
			"304":     object{"description": "The client's answer, named in If-None-Match, is the right one still.", "headers": headerRefs()},
			"default": ref("responses/Problem"),
		},
	}
	if r.Description != "" {
		op["description"] = r.Description
	}
	return op
}

// content is the answer in each format.
func (r *route) content() object {
	row := object{"type": "object"}
	if sh := r.shape.Load(); sh != nil {
		row = sh.schema(r.described)
	}
	content := object{}
	for _, f := range r.offers {
		media := object{"schema": object{"type": "string", "description": f.doc}}
		if f == jsonFormat {
			media["schema"] = object{
				"type": "object", "required": []string{"data", "meta"}, "additionalProperties": false, "description": f.doc,
				"properties": object{"data": object{"type": "array", "items": row}, "meta": ref("schemas/Meta")},
			}
		}
		content[f.accepts[0]] = media
	}
	return content
}

// described is what the contract says of the property that the column has the name and
// the type of: of the endpoint's own dataset first, then of those that it reads too.
func (r *route) described(c column) string {
	for _, name := range r.reads {
		for _, d := range r.home.datasets {
			for _, p := range d.Properties {
				if d.Name == name && p.Name == c.name && p.Type == c.sqlType && p.Description != "" {
					return p.Description
				}
			}
		}
	}
	return ""
}

// schema is the JSON Schema of a row, whose columns are described.
func (sh *shape) schema(described func(column) string) object {
	properties, required := object{}, make([]string, len(sh.columns))
	for i, c := range sh.columns {
		schema := c.schema()
		if text := described(c); text != "" {
			schema["description"] = text + " (" + c.sqlType + ")"
		}
		properties[c.name] = schema
		required[i] = c.name
	}
	return object{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

var nestedType = regexp.MustCompile(`^(STRUCT|MAP|UNION)\(`)

var integerType = regexp.MustCompile(`^U?(TINY|SMALL|BIG|HUGE)INT$|^U?INTEGER$|^BIGNUM$`)

// schema is the JSON Schema of a column's values; its type is DuckDB's name.
func (c column) schema() object {
	s := object{"description": c.sqlType}
	kind := "string"
	switch {
	case c.sqlType == "BOOLEAN":
		kind = "boolean"
	case integerType.MatchString(c.sqlType):
		kind = "integer"
	case c.sqlType == "FLOAT", c.sqlType == "DOUBLE", decimalType.MatchString(c.sqlType):
		kind = "number"
	case c.sqlType == "DATE":
		s["format"] = "date"
	case c.sqlType == "TIMESTAMPTZ":
		s["format"] = "date-time"
	case c.sqlType == "UUID":
		s["format"] = "uuid"
	case c.sqlType == "BLOB":
		s["contentEncoding"] = "base64"
	case strings.HasSuffix(c.sqlType, "]"):
		kind = "array"
		s["items"] = object{}
	case c.sqlType == "JSON":
		return s // anything
	case nestedType.MatchString(c.sqlType):
		kind = "object"
	}
	s["type"] = []string{kind, "null"}
	return s
}

// answerHeaders are the headers that answers have, for the documentation.
func answerHeaders() object {
	header := func(description string) object {
		return object{"description": description, "schema": object{"type": "string"}}
	}
	return object{
		"ETag":          header("Names the answer. Send it as If-None-Match to be told 304 while nothing changed."),
		"Data-As-Of":    header("Time of the last commit that the answer shows, RFC 3339."),
		"Cache-Control": header("How long the answer may be used again."),
		"Link":          header("The next page, if there is one: <…>; rel=\"next\"."),
		"X-Request-ID":  header("What the server's log calls the request. A client may choose it."),
	}
}

func headerRefs() object {
	refs := object{}
	for name := range answerHeaders() {
		refs[name] = ref("headers/" + name)
	}
	return refs
}

func parameter(name, description string, required bool, schema object) object {
	p := object{"name": name, "in": "query", "required": required, "schema": schema}
	if description != "" {
		p["description"] = description
	}
	return p
}

func response(description, mediaType string, schema object) object {
	return object{"description": description, "content": object{mediaType: object{"schema": schema}}}
}

// paramSchema is a parameter's JSON Schema.
func paramSchema(p Param) object {
	schema := object{"type": p.Type}
	switch p.Type {
	case "date", "date-time", "uuid":
		schema["type"], schema["format"] = "string", p.Type
	}
	if p.Pattern != nil {
		if text, ok := ecmaPattern(p.Pattern); ok {
			schema["pattern"] = text
		} else {
			schema["description"] = "It must match the RE2 pattern " + p.Pattern.String()
		}
	}
	if p.Minimum != nil {
		schema["minimum"] = p.Minimum
	}
	if p.Maximum != nil {
		schema["maximum"] = p.Maximum
	}
	if len(p.Enum) > 0 {
		schema["enum"] = enum(p)
	}
	if p.Default != nil {
		schema["default"] = shown(p, p.Default)
	}
	return schema
}

// enum are the allowed values, of the parameter's own type.
func enum(p Param) []any {
	values := make([]any, 0, len(p.Enum))
	for _, text := range p.Enum {
		value, err := p.Value(text)
		if err != nil {
			value = text // the file was refused before
		}
		values = append(values, shown(p, value))
	}
	return values
}

// shown is a value as a request would write it.
func shown(p Param, value any) any {
	at, ok := value.(time.Time)
	switch {
	case !ok:
		return value
	case p.Type == "date":
		return at.Format(time.DateOnly)
	default:
		return at.Format(time.RFC3339Nano)
	}
}

func metaSchema() object {
	return object{
		"type": "object", "required": []string{"as_of", "rows", "next"},
		"properties": object{
			"as_of": object{"type": []string{"string", "null"}, "format": "date-time", "description": "The commit that the answer shows."},
			"rows":  object{"type": "integer"},
			"next":  object{"type": []string{"string", "null"}, "description": "The cursor of the next page; null: there is none."},
		},
	}
}

func problemSchema() object {
	return object{
		"type": "object", "description": "RFC 9457.", "required": []string{"type", "title", "status"},
		"properties": object{
			"type":       object{"type": "string", "format": "uri-reference", "description": "The page about this kind of problem."},
			"title":      object{"type": "string"},
			"status":     object{"type": "integer", "minimum": 400, "maximum": 599},
			"detail":     object{"type": "string", "description": "What is wrong with this request, and the way out."},
			"instance":   object{"type": "string", "description": "The path that was asked for."},
			"parameter":  object{"type": "string", "description": "The query parameter at fault."},
			"request_id": object{"type": "string", "description": "What the log calls the request."},
		},
	}
}
