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
	// Keys are the row's order columns as DuckDB casts them to text; nil is NULL.
	Keys []*string `json:"k"`
	// Tie is the row's position among those of the same keys, empty if it is the last of them;
	// Given is how many rows that are the same in every column have been answered.
	Tie   string `json:"t,omitempty"`
	Given int    `json:"n,omitempty"`
	// Sum is the checksum of the rest and of what was asked.
	Sum string `json:"s"`
}

// maxCursor is the length of the longest cursor that is given out or read: a request's
// header has 16 KiB.
const maxCursor = 8 << 10

// CursorTooLongError is a page that ends at a row for which no cursor can be written.
type CursorTooLongError struct {
	// Bytes is the length of the row's keys, Most of a cursor.
	Bytes, Most int
}

func (e *CursorTooLongError) Error() string {
	return fmt.Sprintf("the cursor of keys of %d bytes is longer than %d", e.Bytes, e.Most)
}

// Text writes the cursor, for the same request only. Its error is a *CursorTooLongError.
func (c Cursor) Text(asked string) (string, error) {
	c.Sum = c.checksum(asked)
	raw, _ := json.Marshal(c) // strings can always be marshalled
	text := base64.RawURLEncoding.EncodeToString(raw)
	if len(text) > maxCursor {
		return "", &CursorTooLongError{len(raw), maxCursor}
	}
	return text, nil
}

// ParseCursor reads a cursor made for the same request; it reports false for any other.
func ParseCursor(asked, text string, order []Order) (*Cursor, bool) {
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
	return &c, len(c.Keys) == len(order) && c.Sum == c.checksum(asked)
}

func (c Cursor) checksum(asked string) string {
	c.Sum = ""
	text, _ := json.Marshal(c) // strings can always be marshalled
	sum := sha256.Sum256(append([]byte(asked+"\x00"), text...))
	return hex.EncodeToString(sum[:12])
}

// Asked is what a cursor is valid for: the endpoint by its path, its order and the values
// of its parameters, defaults included.
func (e *Endpoint) Asked(path string, args map[string]any) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %v", path, e.Order)
	for _, p := range slices.SortedFunc(slices.Values(e.Params), func(a, b Param) int { return strings.Compare(a.Name, b.Name) }) {
		fmt.Fprintf(&b, "\x00%s=%T:%v", p.Name, args[p.Name], args[p.Name])
	}
	return b.String()
}
