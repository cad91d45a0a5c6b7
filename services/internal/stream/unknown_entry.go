package stream

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"unicode/utf8"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/jsontext"
)

// object reads the fields of an entry into one JSON object of strings, in order and with repeated names;
// about so many bytes. The caller has validated them.
func (c *cursor) object(fields, size int, kind event.Kind) ([]byte, error) {
	object := append(make([]byte, 0, size), '{')
	for i := range fields {
		name, err := c.bulk()
		if err != nil {
			return nil, err
		}
		value, err := c.bulk()
		if err != nil {
			return nil, err
		}
		if i > 0 {
			object = append(object, ',')
		}
		object = append(appendString(object, name, kind), ':')
		object = appendString(object, value, kind)
	}
	return append(object, '}'), nil
}

// appendString writes a JSON string; as base64, marked so, if it is not UTF-8
// or begins with the mark itself. Rejects are found by their bytes, so each kind keeps its escapes.
func appendString(object, value []byte, kind event.Kind) []byte {
	if !utf8.Valid(value) || bytes.HasPrefix(value, []byte(contract.Base64Mark)) {
		value = append([]byte(contract.Base64Mark), base64.StdEncoding.EncodeToString(value)...)
	}
	if kind == event.Fields {
		return jsontext.AppendString(object, value)
	}
	quoted, _ := json.Marshal(string(value)) // a string can always be written
	return append(object, quoted...)
}
