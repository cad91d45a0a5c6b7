package contract

import (
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/column"
)

// columns makes the table's columns of the root's properties.
func (c *compiler) columns(root *schema) []Column {
	if len(root.properties) == 0 {
		c.problem("/properties", "must name at least one property: each becomes a column")
	}
	if len(root.properties) > MaxColumns {
		c.problem("/properties", "has %d properties: a table has at most %d", len(root.properties), MaxColumns)
	}
	columns := make([]Column, 0, len(root.properties))
	for _, p := range root.properties {
		at := "/properties/" + escapePointer(p.name)
		if !columnName.MatchString(p.name) {
			c.problem(at, "name %q must match %s, since it names a column; those beginning with _ are the pipeline's own",
				p.name, columnName)
		}
		if p.schema.kinds == kindAny && !c.reported(at+"/type") {
			c.problem(at, "type is missing: the column needs one")
		}
		columns = append(columns, Column{
			Name: p.name, Aliases: p.schema.aliases, Type: p.schema.column(),
			Title: p.schema.title, Description: p.schema.description, Unit: p.schema.unit, Examples: rawOf(p.schema.examples),
			Required: p.required && !p.schema.takesNull(),
		})
	}
	return columns
}

// Comment is the column's documentation in one text, a line each: title, description, unit and
// examples; empty if the contract has none.
func (c Column) Comment() string {
	var lines []string
	for _, line := range []string{c.Title, c.Description} {
		if line != "" {
			lines = append(lines, line)
		}
	}
	if c.Unit != "" {
		lines = append(lines, "Unit: "+c.Unit)
	}
	if len(c.Examples) > 0 {
		lines = append(lines, "Examples: "+joinRaw(c.Examples))
	}
	return strings.Join(lines, "\n")
}

func joinRaw(all []json.RawMessage) string {
	texts := make([]string, len(all))
	for i, raw := range all {
		texts[i] = string(raw)
	}
	return strings.Join(texts, ", ")
}

func rawOf(all []node) []json.RawMessage {
	raw := make([]json.RawMessage, len(all))
	for i, n := range all {
		raw[i] = n.raw
	}
	return raw
}

// column is the type of the column that holds the schema's values.
func (s *schema) column() column.Kind {
	switch s.kind() {
	case kindString:
		return [...]column.Kind{formatNone: column.Varchar, formatDateTime: column.TimestampTZ, formatDate: column.Date, formatUUID: column.UUID}[s.format]
	case kindBoolean:
		return column.Boolean
	case kindNumber:
		return column.Double
	case kindInteger:
		return integerColumn(s.integers())
	default:
		return column.JSON
	}
}

func integerColumn(low, high int64) column.Kind {
	switch {
	case low >= math.MinInt8 && high <= math.MaxInt8:
		return column.TinyInt
	case low >= math.MinInt16 && high <= math.MaxInt16:
		return column.SmallInt
	case low >= math.MinInt32 && high <= math.MaxInt32:
		return column.Integer
	default:
		return column.BigInt
	}
}

// reported reports whether there is a problem at that place already.
func (c *compiler) reported(at string) bool {
	return slices.ContainsFunc(c.problems, func(p Problem) bool { return p.Pointer == at })
}
