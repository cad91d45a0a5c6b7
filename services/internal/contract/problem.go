package contract

import (
	"fmt"
	"strings"
)

// Problem is one thing that is wrong with a contract file.
type Problem struct {
	// Pointer is the JSON pointer (RFC 6901) of the place in the file.
	Pointer string `json:"pointer"`
	// Reason says what is wrong and, where it isn't plain, the way out.
	Reason string `json:"reason"`
}

// SchemaError says everything that is wrong with a contract file.
type SchemaError struct {
	File     string
	Problems []Problem
}

func (e *SchemaError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "load contract %s: %d problem(s)", e.File, len(e.Problems))
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "\n  %s#%s: %s", e.File, p.Pointer, p.Reason)
	}
	return b.String()
}
