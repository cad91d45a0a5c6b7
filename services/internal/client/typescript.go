package client

import (
	"fmt"
	"regexp"
	"strings"
	"text/template"
	"unicode/utf16"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/result"
)

var typeScript = &language{
	template: parseTemplate("typescript.tmpl", template.FuncMap{"doc": jsDoc, "property": jsProperty, "quote": jsString}),
	method:   camelCase, typeName: pascalCase,
	field:     func(name string) string { return name },
	column:    typeScriptColumn,
	parameter: typeScriptParameter,
}

// typeScriptTypes are the types of the kinds that are not nested, with the decoders of the template.
// Others are text.
var typeScriptTypes = map[column.Kind][2]string{
	column.Boolean: {"boolean", "same"},
	column.TinyInt: {"number", "same"}, column.SmallInt: {"number", "same"}, column.Integer: {"number", "same"},
	column.UTinyInt: {"number", "same"}, column.USmallInt: {"number", "same"}, column.UInteger: {"number", "same"},
	column.BigInt: {"bigint", "integer"}, column.UBigInt: {"bigint", "integer"},
	column.HugeInt: {"bigint", "integer"}, column.UHugeInt: {"bigint", "integer"},
	column.Float: {"number", "float"}, column.Double: {"number", "float"},
	column.Decimal: {"string", "digits"}, column.Blob: {"Uint8Array", "bytes"},
	column.JSON: {"Json", "json"},
}

func typeScriptColumn(b *builder, _ string, t *result.Type) (typ, decoder string) {
	inside := func(f result.Field) (string, string) {
		typ, decoder := typeScriptColumn(b, "", &f.Type)
		return typ + " | null", decoder
	}
	switch kind := kindOf(t); kind {
	case column.List, column.Array:
		typ, decoder := inside(t.Fields[0])
		return "(" + typ + ")[]", "decode.list(" + decoder + ")"
	case column.Map:
		typ, decoder := inside(t.Fields[1])
		return "Record<string, " + typ + ">", "decode.map(" + decoder + ")"
	case column.Struct, column.Union:
		colon := map[bool]string{true: "?: ", false: ": "}[kind == column.Union]
		var types, decoders []string
		for _, f := range t.Fields {
			typ, decoder := inside(f)
			types = append(types, jsProperty(f.Name)+colon+typ)
			decoders = append(decoders, "["+jsString(f.Name)+", "+decoder+"]")
		}
		return "{ " + strings.Join(types, "; ") + " }", "decode.object([" + strings.Join(decoders, ", ") + "])"
	default:
		if known, ok := typeScriptTypes[kind]; ok {
			return known[0], "decode." + known[1]
		}
		return "string", "decode.text"
	}
}

func typeScriptParameter(_ *builder, _ string, p *endpoint.Param) string {
	if len(p.Enum) > 0 {
		var all []string
		for _, value := range p.EnumJSON() {
			switch v := value.(type) {
			case string:
				value = jsString(v)
			case int64:
				if exact := int64(float64(v)); exact != v {
					value = fmt.Sprintf("%dn", v)
				}
			}
			all = append(all, fmt.Sprint(value))
		}
		return strings.Join(all, " | ")
	}
	if typ, ok := map[string]string{"integer": "number | bigint", "number": "number", "boolean": "boolean", "date-time": "string | Date"}[p.Type]; ok {
		return typ
	}
	return "string"
}

// kindOf is the kind of a type, column.JSON for DuckDB's JSON too.
func kindOf(t *result.Type) column.Kind {
	if t.Alias == "JSON" {
		return column.JSON
	}
	return t.Kind
}

var jsIdentifier = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$]*$`)

// jsProperty writes the name of a property in a type.
func jsProperty(name string) string {
	if jsIdentifier.MatchString(name) {
		return name
	}
	return jsString(name)
}

// jsString writes a text as a literal in ASCII.
func jsString(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteString(`\` + string(r))
		case r >= ' ' && r < 0x7f:
			b.WriteRune(r)
		default:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		}
	}
	b.WriteByte('"')
	return b.String()
}

// jsDoc writes a documentation comment, nothing for an empty text.
func jsDoc(indent, text string) string {
	if text == "" {
		return ""
	}
	text = strings.ReplaceAll(text, "*/", "*\\/")
	if all := lines(text); len(all) == 1 {
		return indent + "/** " + all[0] + " */\n"
	}
	return indent + "/**\n" + prefixed(indent+" * ", text) + indent + " */\n"
}
