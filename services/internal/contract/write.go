package contract

import (
	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/decimal"
	"github.com/estela-dev/estela/services/internal/jsontext"
)

// write adds a value that was found valid, as it stands in the document, to the
// column. It reports false for null, which is not written.
func write(v *column.Vector, raw []byte) bool {
	if raw[0] == 'n' {
		return false
	}
	switch v.Type {
	case column.JSON:
		v.AppendText(raw)
	case column.Boolean:
		v.AppendBool(raw[0] == 't')
	case column.Double:
		x, _ := decimal.ParseFloat(raw)
		v.AppendDouble(x)
	case column.TinyInt, column.SmallInt, column.Integer, column.BigInt:
		var digits [32]byte
		n, _ := decimal.Parse(digits[:], raw).Int64()
		v.AppendInt(n)
	default:
		writeString(v, raw)
	}
	return true
}

func writeString(v *column.Vector, raw []byte) {
	end, ascii, escaped, _ := jsontext.End(raw, 1)
	text, _, _ := jsontext.Plain(nil, raw[1:end], ascii, escaped)
	switch v.Type {
	case column.Date:
		days, _ := parseDate(text)
		v.AppendInt(int64(days))
	case column.TimestampTZ:
		micros, _ := parseInstant(text)
		v.AppendInt(micros)
	case column.UUID:
		id, _ := parseUUID(text)
		v.Data = append(v.Data, id[:]...)
	default:
		v.AppendText(text)
	}
}
