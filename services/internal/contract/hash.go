package contract

import (
	"fmt"
	"strconv"

	"github.com/estela-dev/estela/services/internal/column"
)

// HashKey is the hash of a key of this contract that is written as text, as
// KeyString gives it and as the warehouse casts the column to VARCHAR.
func (c *Contract) HashKey(text string) (uint64, error) {
	switch t := c.Columns[c.Key].Type; t {
	case column.Varchar:
		return column.HashString(text), nil
	case column.UUID:
		id, ok := parseUUID([]byte(text))
		if !ok {
			return 0, fmt.Errorf("hash key %q of %s: it is no UUID", text, c.Name)
		}
		return column.HashUUID(id), nil
	default:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("hash key %q of %s: %w", text, c.Name, err)
		}
		return column.HashInt(n), nil
	}
}
