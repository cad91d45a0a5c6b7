package api

import (
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

// rowSchema returns the JSON Schema of a row.
func rowSchema(answer []result.Column, properties []contract.Column) object {
	columns, required := object{}, make([]string, len(answer))
	for i, c := range answer {
		s := columnSchema(c.Type)
		for _, p := range properties {
			if p.Name == c.Name {
				addPropertyDocs(s, p)
			}
		}
		columns[c.Name], required[i] = s, c.Name
	}
	return object{"type": "object", "properties": columns, "required": required, "additionalProperties": false}
}

// addPropertyDocs copies a property's documentation from the contract to the answer's column of
// the same name, unless their types differ.
func addPropertyDocs(s object, p contract.Column) {
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

// columnSchema returns the JSON Schema of a type, given by DuckDB's name.
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
		schema["enum"] = enum(p)
	}
	if p.Default != nil {
		schema["default"] = jsonValue(p, p.Default)
	}
	return schema
}

// enum returns the allowed values in the parameter's type.
func enum(p endpoint.Param) []any {
	values := make([]any, 0, len(p.Enum))
	for _, text := range p.Enum {
		value, err := p.Value(text)
		if err != nil {
			value = text // can't be: the parser has validated it
		}
		values = append(values, jsonValue(p, value))
	}
	return values
}

// jsonValue returns a value as JSON has it, dates and times as text.
func jsonValue(p endpoint.Param, value any) any {
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
