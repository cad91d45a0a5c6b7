package encode

import (
	"io"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/result"
)

// CSV returns an encoder of CSV with a header line.
func CSV(w io.Writer, columns []Column) (Encoder, error) {
	var head []byte
	for i, c := range columns {
		head = appendField(appendComma(head, i), []byte(c.Name))
	}
	return &textEncoder{
		w: w, buf: append(head, "\r\n"...),
		row: func(b []byte, chunk *result.Chunk, row int) []byte {
			for i := range columns {
				b = appendCSV(appendComma(b, i), &columns[i].Type, &chunk.Vectors[i], row)
			}
			return append(b, "\r\n"...)
		},
		end: func(b []byte, _ Meta) []byte { return b },
	}, nil
}

// appendCSV appends row i of a vector as a CSV field.
func appendCSV(b []byte, t *result.Type, v *result.Vector, i int) []byte {
	switch {
	case v.Null(i):
		return b
	case v.Kind == column.Varchar && t.Alias != jsonAlias:
		return appendField(b, v.Bytes(i))
	case v.Kind == column.Varchar, v.Kind == column.Enum, v.Children != nil:
		return appendField(b, AppendText(nil, t, v, i))
	default:
		return AppendText(b, t, v, i)
	}
}

// appendField appends a CSV field, quoted if RFC 4180 requires it, or if it is the empty string,
// to distinguish it from NULL.
func appendField(b, text []byte) []byte {
	quote := len(text) == 0 || text[0] == ' ' || text[len(text)-1] == ' '
	for _, c := range text {
		quote = quote || c == '"' || c == ',' || c == '\n' || c == '\r'
	}
	if !quote {
		return append(b, text...)
	}
	b = append(b, '"')
	for _, c := range text {
		if c == '"' {
			b = append(b, '"')
		}
		b = append(b, c)
	}
	return append(b, '"')
}
