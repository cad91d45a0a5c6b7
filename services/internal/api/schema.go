package api

import "github.com/estela-dev/estela/services/internal/endpoint"

// object is a JSON object; encoding/json writes its keys in order.
type object = map[string]any

// paramSchema returns a parameter's JSON Schema.
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
		schema["enum"] = p.EnumJSON()
	}
	if p.Default != nil {
		schema["default"] = p.JSON(p.Default)
	}
	return schema
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
			"invalid":    object{"type": "integer", "description": "How many of the events that were sent are invalid."},
			"errors": object{
				"type": "array", "description": "What is wrong with the first of them.",
				"items": object{
					"type": "object", "required": []string{"line", "pointer", "keyword", "detail"},
					"properties": object{
						"line":    object{"type": "integer", "description": "The event's line, or its place in the array, from 1."},
						"pointer": object{"type": "string", "description": "JSON pointer of the value in the event; empty: the event."},
						"keyword": object{"type": "string", "description": "What of the contract failed."},
						"detail":  object{"type": "string", "description": "What was expected and what was found."},
					},
				},
			},
		},
	}
}
