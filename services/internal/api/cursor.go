package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// cursor is the place behind a row in an ordered answer.
type cursor struct {
	// Keys are the row's order columns as DuckDB casts them to text; nil is NULL.
	Keys []*string `json:"k"`
	// Tie is the row's place among those of the same keys, empty if it is the last of them;
	// Given is how many rows that are the same in every column have been answered.
	Tie   string `json:"t,omitempty"`
	Given int    `json:"n,omitempty"`
	// Sum is the checksum of the rest and of what was asked.
	Sum string `json:"s"`
}

// maxCursor is the length of the longest cursor that is given out or read: a request's
// header has 16 KiB.
const maxCursor = 8 << 10

// newCursor writes the cursor down, for the same request only.
func newCursor(asked string, c cursor) (string, error) {
	c.Sum = c.checksum(asked)
	raw, _ := json.Marshal(c) // strings can always be marshalled
	text := base64.RawURLEncoding.EncodeToString(raw)
	if len(text) > maxCursor {
		return "", cursorTooLong.new("", fmt.Sprintf("The page's last row has values of %d bytes in the columns of the order; the cursor of the next page would be longer than the %d that a URL can carry. Ask for a page of another length, or order by a shorter column.", len(raw), maxCursor))
	}
	return text, nil
}

// readCursor reads a cursor made for the same request.
func readCursor(asked, text string, order []Order) (*cursor, bool) {
	if len(text) > maxCursor {
		return nil, false
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, false
	}
	var c cursor
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, false
	}
	return &c, len(c.Keys) == len(order) && c.Sum == c.checksum(asked)
}

func (c cursor) checksum(asked string) string {
	c.Sum = ""
	text, _ := json.Marshal(c) // strings can always be marshalled
	sum := sha256.Sum256(append([]byte(asked+"\x00"), text...))
	return hex.EncodeToString(sum[:12])
}

// asked names what a cursor is good for: the endpoint, its order and the values
// of its parameters, defaults included.
func (r *route) asked(args map[string]any) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %v", r.path, r.Order)
	for _, p := range slices.SortedFunc(slices.Values(r.Params), func(a, b Param) int { return strings.Compare(a.Name, b.Name) }) {
		fmt.Fprintf(&b, "\x00%s=%T:%v", p.Name, args[p.Name], args[p.Name])
	}
	return b.String()
}

// keyPrefix begins the names that a cursor's values are bound under; no parameter
// of an endpoint begins with it.
const keyPrefix = "cursor_"

// bound are the values that a query is bound to, by name.
type bound map[string]any

// key binds a row's text in an order column and returns it as SQL.
func (b bound) key(o orderColumn, group string, i int, text string) string {
	name := fmt.Sprintf("%s%s%d", keyPrefix, group, i)
	b[name] = text
	return fmt.Sprintf("TRY_CAST($%s AS %s)", name, o.sqlType)
}

// behind is the condition that a row's keys come after the given ones. NULLs come last,
// whether ascending or descending.
func (sh *shape) behind(b bound, keys []*string) string {
	var either, same []string
	for i, o := range sh.order {
		if keys[i] == nil {
			// Nothing sorts after NULL.
			same = append(same, o.column+" IS NULL")
			continue
		}
		value := b.key(o, "", i, *keys[i])
		after := fmt.Sprintf("(%s %s %s OR %s IS NULL)", o.column, o.operator(), value, o.column)
		either = append(either, "("+strings.Join(append(slices.Clone(same), after), " AND ")+")")
		same = append(same, o.column+" = "+value)
	}
	if len(either) == 0 {
		return "false"
	}
	return strings.Join(either, " OR ")
}

// same is the condition that a row's keys are the given ones. What is equal DuckDB
// decides, by collations too.
func (sh *shape) same(b bound, group string, keys []*string) string {
	all := make([]string, len(sh.order))
	for i, o := range sh.order {
		if keys[i] == nil {
			all[i] = o.column + " IS NULL"
		} else {
			all[i] = o.column + " = " + b.key(o, group, i, *keys[i])
		}
	}
	return "(" + strings.Join(all, " AND ") + ")"
}
