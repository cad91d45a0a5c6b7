package contract

import (
	"encoding/json"

	"github.com/estela-dev/estela/services/internal/jsontext"
)

// KeyNames are the names of the properties that are the key, none if there is no key.
func (c *Contract) KeyNames() []string {
	names := make([]string, len(c.Key))
	for i, k := range c.Key {
		names[i] = c.Columns[k].Name
	}
	return names
}

// KeyText is a key as one text, made of the texts of its properties: that of a single one as it
// is, of several a JSON array of strings, without a key "".
func KeyText(parts []string) string {
	switch len(parts) {
	case 0:
		return ""
	case 1:
		return parts[0]
	}
	text := []byte{'['}
	for i, part := range parts {
		if i > 0 {
			text = append(text, ',')
		}
		text = jsontext.AppendString(text, []byte(part))
	}
	return string(append(text, ']'))
}

// KeyParts are the texts of the key's properties in a text as KeyText gives it; false if it is
// none.
func (c *Contract) KeyParts(text string) ([]string, bool) {
	if len(c.Key) == 1 {
		return []string{text}, true
	}
	var raw []json.RawMessage
	if json.Unmarshal([]byte(text), &raw) != nil || len(raw) != len(c.Key) {
		return nil, false
	}
	parts := make([]string, len(raw))
	for i, value := range raw {
		parts[i] = PlainText(value)
	}
	return parts, true
}

// KeyOf is the key of a document that may be invalid, "" if it lacks one.
func (c *Contract) KeyOf(payload []byte) string {
	var properties map[string]json.RawMessage
	if json.Unmarshal(payload, &properties) != nil {
		return ""
	}
	values := map[int]json.RawMessage{}
	for name, value := range properties {
		if at, ok := c.root.index[name]; ok {
			values[at] = value
		}
	}
	parts := make([]string, len(c.Key))
	for i, k := range c.Key {
		value, ok := values[k]
		if !ok {
			return ""
		}
		parts[i] = PlainText(value)
	}
	return KeyText(parts)
}

// PlainText is the text of a string, and any other value as it is written.
func PlainText(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) != nil {
		return string(value)
	}
	return text
}
