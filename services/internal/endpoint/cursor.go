package endpoint

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Cursor is the position after a row of an ordered answer.
type Cursor struct {
	// Keys are the row's values of the order columns, cast to text by DuckDB; nil is NULL.
	Keys []*string `json:"k"`
	// Tie orders the row among those with equal keys, empty if it is the last of them. Given is
	// how many rows that are equal in every column were answered so far.
	Tie   string `json:"t,omitempty"`
	Given int    `json:"n,omitempty"`
	// Sum is the checksum of the rest and of Endpoint.CursorScope.
	Sum string `json:"s"`
}

// maxCursor is the length of the longest cursor: a request's header has 16 KiB.
const maxCursor = 8 << 10

// CursorTooLongError is returned for a page whose last row has keys too long for a cursor.
type CursorTooLongError struct {
	// Bytes is the length of the row's keys, Most of a cursor.
	Bytes, Most int
}

func (e *CursorTooLongError) Error() string {
	return fmt.Sprintf("the cursor of keys of %d bytes is longer than %d", e.Bytes, e.Most)
}

// Text encodes the cursor, valid for the scope only. Its error is a *CursorTooLongError.
func (c Cursor) Text(scope string) (string, error) {
	c.Sum = c.checksum(scope)
	raw, _ := json.Marshal(c) // strings can always be marshalled
	text := base64.RawURLEncoding.EncodeToString(raw)
	if len(text) > maxCursor {
		return "", &CursorTooLongError{len(raw), maxCursor}
	}
	return text, nil
}

// ParseCursor decodes a cursor of the scope; it returns false for any other.
func ParseCursor(scope, text string, order []Order) (*Cursor, bool) {
	if len(text) > maxCursor {
		return nil, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, false
	}
	var c Cursor
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, false
	}
	return &c, len(c.Keys) == len(order) && c.Sum == c.checksum(scope)
}

func (c Cursor) checksum(scope string) string {
	c.Sum = ""
	text, _ := json.Marshal(c) // strings can always be marshalled
	sum := sha256.Sum256(append([]byte(scope+"\x00"), text...))
	return hex.EncodeToString(sum[:12])
}

// CursorScope returns what a cursor is valid for: the path, the order and the parameters' values,
// defaults included.
func (e *Endpoint) CursorScope(path string, args map[string]any) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %v", path, e.Order)
	for _, p := range slices.SortedFunc(slices.Values(e.Params), func(a, b Param) int { return strings.Compare(a.Name, b.Name) }) {
		fmt.Fprintf(&b, "\x00%s=%T:%v", p.Name, args[p.Name], args[p.Name])
	}
	return b.String()
}
