package client

import (
	"fmt"
	"strconv"
	"strings"
	"text/template"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/result"
)

var python = &language{
	template:  parseTemplate("python.tmpl", template.FuncMap{"doc": pyDoc, "operation": pyOperation, "quote": strconv.QuoteToASCII}),
	separator: "_",
	method:    avoiding(snakeCase, pyReserved...), typeName: pascalCase, field: avoiding(snakeCase, pyReserved...),
	column:    pythonColumn,
	parameter: pythonParameter,
}

// pyReserved are Python's keywords and the names that annotations in a class mean.
var pyReserved = strings.Fields(`and as assert async await break class continue def del elif else except finally for from
	global if import in is lambda nonlocal not or pass raise return try while with yield
	bool bytes dict float int list object self str`)

// pythonTypes are the types of the kinds that are not nested, with the decoders of the template.
// Others are text.
var pythonTypes = map[column.Kind][2]string{
	column.Boolean: {"bool", "_same"},
	column.TinyInt: {"int", "_same"}, column.SmallInt: {"int", "_same"}, column.Integer: {"int", "_same"}, column.BigInt: {"int", "_same"},
	column.UTinyInt: {"int", "_same"}, column.USmallInt: {"int", "_same"}, column.UInteger: {"int", "_same"}, column.UBigInt: {"int", "_same"},
	column.HugeInt: {"int", "_same"}, column.UHugeInt: {"int", "_same"},
	column.Float: {"float", "_float"}, column.Double: {"float", "_float"}, column.Decimal: {"_decimal.Decimal", "_exact"},
	column.Date: {"_dt.date", "_date"}, column.TimestampTZ: {"_dt.datetime", "_time"},
	column.Timestamp: {"_dt.datetime", "_time"}, column.TimestampS: {"_dt.datetime", "_time"}, column.TimestampMS: {"_dt.datetime", "_time"},
	column.UUID: {"_uuid.UUID", "_id"}, column.Blob: {"bytes", "_bytes"}, column.JSON: {"object", "_json"},
}

func pythonColumn(b *builder, name string, t *result.Type) (typ, decoder string) {
	inside := func(f result.Field) (string, string) {
		typ, decoder := pythonColumn(b, name+" "+f.Name, &f.Type)
		return typ + " | None", decoder
	}
	switch kind := kindOf(t); kind {
	case column.List, column.Array:
		typ, decoder := inside(t.Fields[0])
		return "list[" + typ + "]", "_list(" + decoder + ")"
	case column.Map:
		typ, decoder := inside(t.Fields[1])
		return "dict[str, " + typ + "]", "_map(" + decoder + ")"
	case column.Struct, column.Union:
		var types, decoders []string
		for _, f := range t.Fields {
			typ, decoder := inside(f)
			types = append(types, strconv.QuoteToASCII(f.Name)+`: "`+typ+`"`)
			decoders = append(decoders, strconv.QuoteToASCII(f.Name)+": "+decoder)
		}
		typ = b.declare(name, func(typeName string) string {
			total := map[bool]string{true: ", total=False"}[kind == column.Union]
			return fmt.Sprintf("%s = TypedDict(%q, {%s}%s)", typeName, typeName, strings.Join(types, ", "), total)
		})
		return typ, "_object({" + strings.Join(decoders, ", ") + "})"
	default:
		if known, ok := pythonTypes[kind]; ok {
			return known[0], known[1]
		}
		return "str", "_same"
	}
}

func pythonParameter(_ *builder, _ string, p *endpoint.Param) string {
	if len(p.Enum) > 0 && p.Type != "number" { // of which there is no Literal
		var all []string
		for _, value := range p.EnumJSON() {
			if text, ok := value.(string); ok {
				value = strconv.QuoteToASCII(text)
			}
			all = append(all, fmt.Sprint(value))
		}
		return "Literal[" + strings.Join(all, ", ") + "]"
	}
	return map[string]string{
		"string": "str", "integer": "int", "number": "float", "boolean": "bool",
		"date": "_dt.date", "date-time": "_dt.datetime", "uuid": "_uuid.UUID | str",
	}[p.Type]
}

// pyOperation is an endpoint's documentation with that of its parameters, which have no place of their
// own.
func pyOperation(o *operation) string {
	var all []string
	for _, a := range o.Arguments {
		if a.Doc == "" {
			continue
		}
		all = append(all, a.Field+": "+strings.ReplaceAll(a.Doc, "\n\n", " "))
	}
	if o.Paged() {
		all = append(all, "limit: rows in a page.", "cursor: where to begin, Page.next of an earlier page.")
	}
	return paragraphs(o.Doc(), strings.Join(all, "\n"))
}

// pyDoc writes a docstring, nothing for an empty text.
func pyDoc(indent, text string) string {
	if text == "" {
		return ""
	}
	text = strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text)
	if all := lines(text); len(all) == 1 {
		return indent + `"""` + all[0] + "\"\"\"\n"
	}
	return indent + `"""` + strings.TrimPrefix(prefixed(indent, text), indent) + indent + "\"\"\"\n"
}
