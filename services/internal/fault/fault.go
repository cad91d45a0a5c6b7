// Package fault has the errors with their own exit code and HTTP status.
package fault

import "fmt"

// UsageError is an error that the caller can correct: a flag, a name or a file.
type UsageError struct{ error }

// Usage wraps err in a UsageError.
func Usage(err error) error { return UsageError{err} }

// Usagef formats a UsageError like fmt.Errorf.
func Usagef(format string, args ...any) error { return UsageError{fmt.Errorf(format, args...)} }

// Unwrap returns the wrapped error.
func (e UsageError) Unwrap() error { return e.error }

// RefusedError refuses an operation that would do harm, until its hint is followed.
type RefusedError struct{ error }

// Refused wraps err in a RefusedError.
func Refused(err error) error { return RefusedError{err} }

// Refusedf formats a RefusedError like fmt.Errorf.
func Refusedf(format string, args ...any) error { return RefusedError{fmt.Errorf(format, args...)} }

// Unwrap returns the wrapped error.
func (e RefusedError) Unwrap() error { return e.error }
