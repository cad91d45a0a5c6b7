package client

import (
	"fmt"
	"go/format"
	"regexp"
	"strconv"
	"strings"
	"text/template"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/result"
)

var golang = &language{
	template: parseTemplate("go.tmpl", template.FuncMap{"doc": goDoc, "quote": strconv.QuoteToASCII, "tag": goTag, "taggable": goTaggable}),
	method:   goName, typeName: goName, field: goName,
	column:    goColumn,
	parameter: goParameter,
	format:    format.Source,
}

// goTypes are the types of the kinds that are not nested, without the pointer that is nil for NULL.
// Others are strings.
var goTypes = map[column.Kind]string{
	column.Boolean: "bool",
	column.TinyInt: "int8", column.SmallInt: "int16", column.Integer: "int32", column.BigInt: "int64",
	column.UTinyInt: "uint8", column.USmallInt: "uint16", column.UInteger: "uint32", column.UBigInt: "uint64",
	column.HugeInt: "big.Int", column.UHugeInt: "big.Int",
	column.Float: "float32", column.Double: "float64", column.Decimal: "json.Number",
	column.Date: "Date", column.TimestampTZ: "time.Time",
	column.Timestamp: "LocalTime", column.TimestampS: "LocalTime", column.TimestampMS: "LocalTime", column.TimestampNS: "LocalTime",
	column.JSON: "json.RawMessage",
}

// goColumn returns a type of which nil is NULL.
func goColumn(b *builder, _ string, t *result.Type) (typ, decoder string) {
	inside := func(f result.Field) string {
		typ, _ := goColumn(b, "", &f.Type)
		return typ
	}
	switch kind := kindOf(t); kind {
	case column.Blob:
		return "[]byte", ""
	case column.List, column.Array:
		return "[]" + inside(t.Fields[0]), ""
	case column.Map:
		return "map[string]" + inside(t.Fields[1]), ""
	case column.Struct, column.Union:
		return goStruct(b, t.Fields), ""
	default:
		if known, ok := goTypes[kind]; ok {
			return "*" + known, ""
		}
		return "*string", ""
	}
}

// goStruct returns the type of a struct, as it is written if a member's name can't be in a tag.
func goStruct(b *builder, members []result.Field) string {
	names := newScope(b.separator)
	var fields strings.Builder
	for _, m := range members {
		if !goTaggable(m.Name) {
			return "*json.RawMessage"
		}
		typ, _ := goColumn(b, "", &m.Type)
		fmt.Fprintf(&fields, "%s %s %s\n", names.unique(goName(m.Name)), typ, goTag(m.Name))
	}
	return "*struct {\n" + fields.String() + "}"
}

// goParameter declares a type for a parameter that is one of some texts.
func goParameter(b *builder, name string, p *endpoint.Param) string {
	switch p.Type {
	case "integer":
		return "int64"
	case "number":
		return "float64"
	case "boolean":
		return "bool"
	case "date":
		return "Date"
	case "date-time":
		return "time.Time"
	}
	if len(p.Enum) == 0 {
		return "string"
	}
	return b.declare(name, func(typeName string) string {
		var all strings.Builder
		fmt.Fprintf(&all, "// %s is a value of the parameter %s.\ntype %s string\n\n// The values of %s.\nconst (\n", typeName, p.Name, typeName, typeName)
		for _, value := range p.Enum {
			fmt.Fprintf(&all, "%s %s = %s\n", b.types.unique(typeName+goWords(value)), typeName, strconv.QuoteToASCII(value))
		}
		return all.String() + ")"
	})
}

// initialisms are words that Go writes in capitals.
var initialisms = map[string]string{"Id": "ID", "Url": "URL", "Api": "API", "Uuid": "UUID", "Http": "HTTP", "Json": "JSON", "Sql": "SQL", "Ip": "IP"}

// goName writes an exported name.
func goName(name string) string {
	if name = goWords(name); !upper.MatchString(name) {
		return "X" + name
	}
	return name
}

var upper = regexp.MustCompile(`^\p{Lu}`)

func goWords(name string) string {
	all := capitalized(words(name))
	for i, word := range all {
		if known, ok := initialisms[word]; ok {
			all[i] = known
		}
	}
	return strings.Join(all, "")
}

// taggable matches the names that encoding/json takes from a tag.
var taggable = regexp.MustCompile(`^[\pL\p{Nd}!#$%&()*+./:;<=>?@\[\]^_{|}~ -]+$`)

func goTaggable(name string) bool { return taggable.MatchString(name) }

// goTag writes the tag of a member; "-" alone would leave it out.
func goTag(name string) string {
	if name == "-" {
		name += ","
	}
	return "`json:\"" + name + "\"`"
}

func goDoc(text string) string {
	if text == "" {
		return ""
	}
	return prefixed("// ", text)
}
