// Package fault has the two kinds of errors that are answered otherwise than a failure: by an
// exit code of their own, and over HTTP by a status.
package fault

import "fmt"

// UsageError is a wrong question: a flag, a name or a file that the caller can correct.
type UsageError struct{ error }

// Usage makes err a UsageError.
func Usage(err error) error { return UsageError{err} }

// Usagef is a UsageError of that text, as fmt.Errorf makes it.
func Usagef(format string, args ...any) error { return UsageError{fmt.Errorf(format, args...)} }

// Unwrap is the error that was made one of usage.
func (e UsageError) Unwrap() error { return e.error }

// RefusedError is something that could be done and must not, until its hint is followed.
type RefusedError struct{ error }

// Refused makes err a RefusedError.
func Refused(err error) error { return RefusedError{err} }

// Refusedf is a RefusedError of that text, as fmt.Errorf makes it.
func Refusedf(format string, args ...any) error { return RefusedError{fmt.Errorf(format, args...)} }

// Unwrap is the error that was made a refusal.
func (e RefusedError) Unwrap() error { return e.error }
