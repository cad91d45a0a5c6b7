package api

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/endpoint"
)

// members is a JSON object whose members stay in their order, such as columns.
type members []member

type member struct {
	name  string
	value any
}

// MarshalJSON implements json.Marshaler.
func (m members) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, each := range m {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(each.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(each.value)
		if err != nil {
			return nil, err
		}
		b.Write(append(append(name, ':'), value...))
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// rowSchema returns the JSON Schema of a row, with the columns in their order.
func rowSchema(columns []endpoint.Column) object {
	var properties members
	var required []string
	for _, c := range columns {
		if !slices.Contains(required, c.Name) {
			properties, required = append(properties, member{c.Name, documentedSchema(c)}), append(required, c.Name)
		}
	}
	return object{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
}

// documentedSchema returns the JSON Schema of a column. The description ends with the type in SQL
// and the unit, for pages that show no annotations.
func documentedSchema(c endpoint.Column) object {
	s := columnSchema(c.Type)
	about := c.Type
	if c.Unit != "" {
		about += " (" + c.Unit + ")"
		s["x-estela"] = object{"unit": c.Unit}
	}
	if c.Description != "" {
		about = c.Description + "\n\n" + about
	}
	s["description"] = about
	if c.Title != "" {
		s["title"] = c.Title
	}
	if len(c.Examples) > 0 {
		s["examples"] = c.Examples
	}
	return s
}

var nestedType = regexp.MustCompile(`^(STRUCT|MAP|UNION)\(`)

var decimalType = regexp.MustCompile(`^DECIMAL\((\d+),(\d+)\)$`)

// columnSchema returns the JSON Schema of a type, given by DuckDB's name.
func columnSchema(sqlType string) object {
	s := object{}
	kind := "string"
	switch {
	case sqlType == "BOOLEAN":
		kind = "boolean"
	case endpoint.IsInteger(sqlType):
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
