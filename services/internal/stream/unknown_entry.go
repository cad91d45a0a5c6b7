package stream

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// base64Mark begins values that are encoded as base64.
const base64Mark = "base64:"

// object reads the fields of an entry of unknown form into one JSON object of strings, in order and with
// repeated names. The caller has validated them.
func (c *cursor) object(fields int) ([]byte, error) {
	object := []byte{'{'}
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
		object = append(appendString(object, name), ':')
		object = appendString(object, value)
	}
	return append(object, '}'), nil
}

// appendString writes a JSON string; as base64, marked so, if it is not UTF-8
// or begins with the mark itself.
func appendString(object, value []byte) []byte {
	text := string(value)
	if !utf8.Valid(value) || strings.HasPrefix(text, base64Mark) {
		text = base64Mark + base64.StdEncoding.EncodeToString(value)
	}
	quoted, _ := json.Marshal(text) // a string can always be written
	return append(object, quoted...)
}
