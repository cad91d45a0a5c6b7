package warehouse

import (
	"errors"
	"fmt"
	"strings"

	"github.com/estela-dev/estela/services/internal/contract"
)

// ErrReadOnly means that the warehouse is open for reading only.
var ErrReadOnly = errors.New("warehouse is open for reading only")

// RefusedError means that a contract breaks the one that the table was created by.
type RefusedError struct {
	Dataset string
	Changes []contract.Change
}

func (e *RefusedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "contract of %s breaks the one its table was created by", e.Dataset)
	for _, change := range e.Changes {
		fmt.Fprintf(&b, "\n  %s", change)
	}
	b.WriteString("\n" + Hint(e.Dataset, e.Changes))
	return b.String()
}

// Hint says what to do about a contract that breaks the stored one.
func Hint(dataset string, changes []contract.Change) string {
	const undo = "Only new optional properties may be added without further steps: undo the change, or "
	for _, c := range changes {
		if c.Fixed {
			return undo + "make it a dataset of a new name: the rows that are stored rule out " + c.Pointer
		}
	}
	return undo + "stop the producers, let the worker store what the streams hold, stop it and run " +
		"'estela contract accept " + dataset + "'"
}
