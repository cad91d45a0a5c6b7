package api

import (
	"encoding/json"
	"fmt"
	"time"
)

// object is a JSON object; encoding/json writes its keys in order.
type object = map[string]any

// openAPI is the answer of GET /openapi.json: an OpenAPI 3.1 document with one operation an endpoint,
// all of it from the endpoint files.
func (s *Server) openAPI() ([]byte, error) {
	paths := object{}
	for _, d := range s.cfg.Datasets {
		for _, e := range d.Endpoints {
			paths[pathOf(d, e)] = object{"get": s.operation(d, e)}
		}
	}
	body, err := json.Marshal(object{
		"openapi": "3.1.0",
		"info":    object{"title": "Estela", "version": "1", "description": "Each operation is a SQL file; its header is this documentation."},
		"servers": []object{{"url": "/"}},
		"paths":   paths,
		"components": object{"schemas": object{
			"Meta":    metaSchema(),
			"Problem": problemSchema(),
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("write OpenAPI document: %w", err)
	}
	return append(body, '\n'), nil
}

func (s *Server) operation(d Dataset, e Endpoint) object {
	params := []object{}
	for _, p := range e.Params {
		params = append(params, parameter(p.Name, p.Description, p.Required, paramSchema(p)))
	}
	if len(e.Order) > 0 {
		params = append(
			params,
			parameter("limit", "Rows in the page.", false, object{
				"type": "integer", "minimum": 1, "maximum": s.cfg.MaxRows, "default": s.cfg.PageRows,
			}),
			parameter("cursor", "Where the page begins: meta.next of the page before.", false, object{"type": "string"}),
		)
	}
	op := object{
		"operationId": d.Name + "_" + e.Name,
		"tags":        []string{d.Name},
		"summary":     e.Summary,
		"parameters":  params,
		"responses": object{
			"200": response("The rows.", "application/json", object{
				"type": "object", "required": []string{"data", "meta"},
				"properties": object{
					"data": object{"type": "array", "items": object{"type": "object"}},
					"meta": object{"$ref": "#/components/schemas/Meta"},
				},
			}),
			"default": response("What is wrong, and what to do.", "application/problem+json",
				object{"$ref": "#/components/schemas/Problem"}),
		},
	}
	if e.Description != "" {
		op["description"] = e.Description
	}
	return op
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
		schema["pattern"] = p.Pattern.String()
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
		"type": "object", "description": "RFC 9457.", "required": []string{"title", "status"},
		"properties": object{
			"type": object{"type": "string"}, "title": object{"type": "string"},
			"status": object{"type": "integer", "minimum": 400, "maximum": 599},
			"detail": object{"type": "string"},
		},
	}
}
