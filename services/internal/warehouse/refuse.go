package warehouse

import (
	"fmt"

	"github.com/estela-dev/estela/services/internal/contract"
)

// refuse compares the contract with the one that the table was made by.
func refuse(c *contract.Contract, schema string) error {
	if schema == string(c.Schema) {
		return nil
	}
	old, err := contract.Parse(c.Name, "the stored contract of "+c.Name, []byte(schema))
	if err != nil {
		return fmt.Errorf("read the stored contract: %w", err)
	}
	if changes := c.Breaks(old); len(changes) > 0 {
		return &RefusedError{Dataset: c.Name, Changes: changes}
	}
	return nil
}
