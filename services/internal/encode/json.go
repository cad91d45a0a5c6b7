package encode

import (
	"io"

	"github.com/estela-dev/estela/services/internal/jsontext"
	"github.com/estela-dev/estela/services/internal/result"
)

// JSON returns an encoder of one document: the rows and meta.
func JSON(w io.Writer, columns []Column) (Encoder, error) {
	object, started := objectAppender(columns), false
	return &textEncoder{
		w: w, buf: append(make([]byte, 0, 4<<10), `{"data":[`...),
		row: func(b []byte, chunk *result.Chunk, i int) []byte {
			if started {
				b = append(b, ',')
			}
			started = true
			return object(b, chunk, i)
		},
		end: func(b []byte, m Meta) []byte { return append(m.append(append(b, `],"meta":`...)), "}\n"...) },
	}, nil
}

// NDJSON returns an encoder of a JSON object a line.
func NDJSON(w io.Writer, columns []Column) (Encoder, error) {
	object := objectAppender(columns)
	return &textEncoder{
		w:   w,
		row: func(b []byte, chunk *result.Chunk, i int) []byte { return append(object(b, chunk, i), '\n') },
		end: func(b []byte, _ Meta) []byte { return b },
	}, nil
}

// objectAppender returns a function that appends a row as a JSON object.
func objectAppender(columns []Column) func(b []byte, chunk *result.Chunk, i int) []byte {
	keys := make([]string, len(columns)) // with the punctuation around them
	for i, c := range columns {
		keys[i] = "{,"[min(i, 1):][:1] + string(jsontext.AppendString(nil, c.Name)) + ":"
	}
	return func(b []byte, chunk *result.Chunk, row int) []byte {
		for i := range columns {
			b = append(b, keys[i]...)
			b = appendValue(b, &columns[i].Type, &chunk.Vectors[i], row)
		}
		return append(b, '}')
	}
}
