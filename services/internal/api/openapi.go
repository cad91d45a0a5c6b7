package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/result"
)

// object is a JSON object; encoding/json writes its keys in order.
type object = map[string]any

// openAPI is the answer of GET /openapi.json: an OpenAPI 3.1 document with one operation an endpoint,
// from the endpoint files and, once they are known, the columns they answer with.
func (s *Server) openAPI(k *catalog) ([]byte, error) {
	properties := map[string][]contract.Column{}
	for _, d := range k.datasets {
		properties[d.Name] = d.Columns
	}
	paths := object{}
	for _, r := range k.ordered {
		paths[r.path] = object{"get": s.operation(r, properties[r.dataset])}
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

func tags(datasets []endpoint.Dataset) []object {
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

// operation describes an endpoint of the dataset with the properties.
func (s *Server) operation(r *route, properties []contract.Column) object {
	params := []object{}
	for _, p := range r.Params {
		q := parameter(p.Name, explained(p), p.Required, paramSchema(p))
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
			"200":     object{"description": "The rows.", "headers": headerRefs(), "content": r.content(properties)},
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
func (r *route) content(properties []contract.Column) object {
	row := object{"type": "object"}
	if sh := r.shape.Load(); sh != nil {
		row = rowSchema(sh.Columns, properties)
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

// rowSchema is the JSON Schema of a row.
func rowSchema(answer []result.Column, properties []contract.Column) object {
	columns, required := object{}, make([]string, len(answer))
	for i, c := range answer {
		s := columnSchema(c.Type)
		for _, p := range properties {
			if p.Name == c.Name {
				explain(s, p)
			}
		}
		columns[c.Name], required[i] = s, c.Name
	}
	return object{"type": "object", "properties": columns, "required": required, "additionalProperties": false}
}

// explain adds what the contract says of a property to the schema of an answer's column
// of its name, unless that holds values of another kind.
func explain(s object, p contract.Column) {
	stored := columnSchema(p.Type.String())
	if !reflect.DeepEqual(s["type"], stored["type"]) || s["format"] != stored["format"] {
		return
	}
	if p.Title != "" {
		s["title"] = p.Title
	}
	if p.Description != "" {
		s["description"] = fmt.Sprintf("%s\n\n%s", p.Description, s["description"])
	}
	if len(p.Examples) > 0 {
		s["examples"] = p.Examples
	}
}

var nestedType = regexp.MustCompile(`^(STRUCT|MAP|UNION)\(`)

var decimalType = regexp.MustCompile(`^DECIMAL\((\d+),(\d+)\)$`)

var integerType = regexp.MustCompile(`^U?(TINY|SMALL|BIG|HUGE)INT$|^U?INTEGER$|^BIGNUM$`)

// columnSchema is the JSON Schema of the values of a type, by DuckDB's name.
func columnSchema(sqlType string) object {
	s := object{"description": sqlType}
	kind := "string"
	switch {
	case sqlType == "BOOLEAN":
		kind = "boolean"
	case integerType.MatchString(sqlType):
		kind = "integer"
	case sqlType == "FLOAT", sqlType == "DOUBLE", decimalType.MatchString(sqlType):
		kind = "number"
	case sqlType == "DATE":
		s["format"] = "date"
	case sqlType == "TIMESTAMPTZ":
		s["format"] = "date-time"
	case sqlType == "UUID":
		s["format"] = "uuid"
	case sqlType == "BLOB":
		s["contentEncoding"] = "base64"
	case strings.HasSuffix(sqlType, "]"):
		kind = "array"
		s["items"] = object{}
	case sqlType == "JSON":
		return s // anything
	case nestedType.MatchString(sqlType):
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
func paramSchema(p endpoint.Param) object {
	schema := object{"type": p.Type}
	switch p.Type {
	case "date", "date-time", "uuid":
		schema["type"], schema["format"] = "string", p.Type
	}
	if p.Pattern != nil {
		if translated, ok := endpoint.ECMA(p.Pattern.String()); ok {
			schema["pattern"] = translated
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

// explained is the description, with the pattern if the schema can't have it.
func explained(p endpoint.Param) string {
	if p.Pattern == nil {
		return p.Description
	}
	if _, ok := endpoint.ECMA(p.Pattern.String()); ok {
		return p.Description
	}
	note := "It must match " + code(p.Pattern.String()) + " (RE2)."
	return strings.TrimSpace(p.Description + "\n\n" + note)
}

// code is a text in Markdown, shown as it is.
func code(text string) string {
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	if len(fence) > 1 {
		text = " " + text + " "
	}
	return fence + text + fence
}

// enum are the allowed values, of the parameter's own type.
func enum(p endpoint.Param) []any {
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
func shown(p endpoint.Param, value any) any {
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
