package warehouse

import (
	"errors"
	"fmt"
	"slices"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
)

// refuse compares the contract with the one that the table was made by, and with its columns.
func refuse(c *contract.Contract, schema string, have []database.Field) error {
	if schema == string(c.Schema) {
		return nil
	}
	old, err := contract.Parse(c.Name, "the stored contract of "+c.Name, []byte(schema))
	if err != nil {
		return fmt.Errorf("read the stored contract: %w", err)
	}
	if changes := append(c.Breaks(old), leftColumns(c, old, have)...); len(changes) > 0 {
		return &RefusedError{Dataset: c.Name, Changes: changes}
	}
	return nil
}

// isFixed reports whether the error is anything but changes that can be accepted.
func isFixed(err error) bool {
	var refused *RefusedError
	return !errors.As(err, &refused) || slices.ContainsFunc(refused.Changes, func(c contract.Change) bool { return c.Fixed })
}

// leftColumns refuses a new property whose name a column of another type has: a contract
// before the old one had it, and the rows still do.
func leftColumns(c, old *contract.Contract, have []database.Field) (changes []contract.Change) {
	for _, f := range contractFields(c) {
		known := slices.ContainsFunc(old.Columns, func(was contract.Column) bool { return was.Name == f.Name })
		for _, left := range have {
			if !known && left.Name == f.Name && left.Type != f.Type {
				changes = append(changes, contract.Change{
					Pointer: "/properties/" + f.Name, Fixed: true,
					Reason: fmt.Sprintf("the table has a column of that name and of type %s, from an earlier contract: choose another name", left.Type),
				})
			}
		}
	}
	return changes
}
