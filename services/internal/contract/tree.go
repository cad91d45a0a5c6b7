package contract

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/estela-dev/estela/services/internal/decimal"
)

// node is a value of a contract file. It keeps the order of properties, which
// is the order of columns, and the bytes, which keep numbers exact.
type node struct {
	kind    kinds
	raw     []byte
	text    string // of a string
	members []member
	items   []node
}

type member struct {
	name  string
	value node
}

// parseTree reads a document that a checker has found to be valid JSON without
// repeated names.
func parseTree(doc []byte) (node, error) {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	return readNode(d, doc)
}

func readNode(d *json.Decoder, doc []byte) (node, error) {
	from := d.InputOffset()
	token, err := d.Token()
	if err != nil {
		return node{}, err
	}
	var n node
	switch v := token.(type) {
	case json.Delim:
		n, err = readNested(d, doc, v)
	case string:
		n = node{kind: kindString, text: v}
	case json.Number:
		n.kind = kindNumber
	case bool:
		n.kind = kindBoolean
	default:
		n.kind = kindNull
	}
	n.raw = bytes.TrimLeft(doc[from:d.InputOffset()], " \t\r\n,:")
	return n, err
}

func readNested(d *json.Decoder, doc []byte, open json.Delim) (node, error) {
	n := node{kind: kindArray}
	if open == '{' {
		n.kind = kindObject
	}
	for d.More() {
		var name string
		if n.kind == kindObject {
			token, err := d.Token()
			if err != nil {
				return n, err
			}
			var ok bool
			if name, ok = token.(string); !ok {
				return n, errors.New("a property has no name")
			}
		}
		value, err := readNode(d, doc)
		if err != nil {
			return n, err
		}
		if n.kind == kindObject {
			n.members = append(n.members, member{name, value})
		} else {
			n.items = append(n.items, value)
		}
	}
	_, err := d.Token() // the closing bracket
	return n, err
}

// get finds a property.
func (n node) get(name string) (node, bool) {
	for _, m := range n.members {
		if m.name == name {
			return m.value, true
		}
	}
	return node{}, false
}

// decimal is the value of a number.
func (n node) decimal() decimal.Decimal { return decimal.Parse(nil, n.raw) }

// canonical appends the one form that all equal values of JSON Schema share:
// numbers by value, properties sorted, strings without escapes.
func canonical(dst []byte, value any) []byte {
	switch v := value.(type) {
	case map[string]any:
		return canonicalObject(dst, v)
	case []any:
		dst = append(dst, '[')
		for _, item := range v {
			dst = append(canonical(dst, item), ',')
		}
		return append(dst, ']')
	case string:
		return strconv.AppendQuote(dst, v)
	case json.Number:
		return decimal.Parse(nil, []byte(v)).Append(dst)
	case bool:
		return strconv.AppendBool(dst, v)
	default:
		return append(dst, "null"...)
	}
}

func canonicalObject(dst []byte, object map[string]any) []byte {
	dst = append(dst, '{')
	for _, name := range slices.Sorted(maps.Keys(object)) {
		dst = append(strconv.AppendQuote(dst, name), ':')
		dst = append(canonical(dst, object[name]), ',')
	}
	return append(dst, '}')
}

// canonicalOf is canonical for valid JSON text.
func canonicalOf(raw []byte) []byte {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil // equal to no value; callers pass what was checked
	}
	return canonical(nil, value)
}

// escapePointer writes a name as a token of a JSON pointer.
func escapePointer(name string) string {
	return strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}
