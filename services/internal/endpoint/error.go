package endpoint

import "fmt"

// ParseError is what is wrong with an endpoint file, and what to do.
type ParseError struct {
	File string
	// Line and Column count from 1; 0 is the whole file, or the whole line.
	Line, Column int
	Reason, Fix  string
}

func (e *ParseError) Error() string {
	at := e.File
	if e.Line > 0 {
		at += fmt.Sprintf(":%d", e.Line)
	}
	if e.Column > 0 {
		at += fmt.Sprintf(":%d", e.Column)
	}
	return fmt.Sprintf("%s: %s; %s", at, e.Reason, e.Fix)
}
