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
	// Sum is the checksum of the keys and of what was asked.
	Sum string `json:"s"`
}

// maxCursor is the length beyond which a cursor is none of ours.
const maxCursor = 8 << 10

// newCursor makes the cursor behind the row with the given keys.
func newCursor(asked string, keys []*string) string {
	text, _ := json.Marshal(cursor{keys, checksum(asked, keys)}) // strings can always be marshalled
	return base64.RawURLEncoding.EncodeToString(text)
}

// readCursor reads a cursor made for the same request.
func readCursor(asked, text string, order []Order) ([]*string, bool) {
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
	return c.Keys, len(c.Keys) == len(order) && c.Sum == checksum(asked, c.Keys)
}

func checksum(asked string, keys []*string) string {
	text, _ := json.Marshal(keys)
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

// behind is the condition that a row comes after the cursor's, and the values it
// is bound to. NULLs come last, whether ascending or descending.
func (sh *shape) behind(keys []*string) (condition string, args map[string]any) {
	args = map[string]any{}
	var either, same []string
	for i, o := range sh.order {
		name := fmt.Sprintf("%s%d", keyPrefix, i)
		value := fmt.Sprintf("TRY_CAST($%s AS %s)", name, o.sqlType)
		if keys[i] == nil {
			// Nothing sorts after NULL.
			same = append(same, o.column+" IS NULL")
			continue
		}
		args[name] = *keys[i]
		after := fmt.Sprintf("(%s %s %s OR %s IS NULL)", o.column, o.operator(), value, o.column)
		either = append(either, "("+strings.Join(append(slices.Clone(same), after), " AND ")+")")
		same = append(same, o.column+" = "+value)
	}
	if len(either) == 0 {
		return "false", args
	}
	return strings.Join(either, " OR "), args
}
