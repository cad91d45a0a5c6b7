package warehouse

import (
	"errors"
	"fmt"
	"strings"

	"github.com/estela-dev/estela/services/internal/contract"
)

// ErrReadOnly says that a warehouse opened for reading was asked to write.
var ErrReadOnly = errors.New("warehouse is open for reading only")

// RefusedError says that a contract does not fit the table that is there.
type RefusedError struct {
	Dataset string
	Changes []contract.Change
}

func (e *RefusedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "contract of %s breaks the one its table was made by", e.Dataset)
	for _, change := range e.Changes {
		fmt.Fprintf(&b, "\n  %s", change)
	}
	b.WriteString("\n" + Hint(e.Dataset, e.Changes))
	return b.String()
}

// Hint says what can be done about a contract that breaks the one that the dataset is
// stored by.
func Hint(dataset string, changes []contract.Change) string {
	const undo = "Only new optional properties may be added just so: undo the change, or "
	for _, c := range changes {
		if c.Fixed {
			return undo + "make it a dataset of a new name: the rows that are stored rule out " + c.Pointer
		}
	}
	return undo + "stop the producers, let the worker store what the streams hold, stop it and run " +
		"'estela contract accept " + dataset + "'"
}
