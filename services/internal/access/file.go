package access

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
)

// file is a file of credentials, parsed. It is empty while the file is missing.
type file[T any] struct {
	path, what string
	parse      func([]byte) (*T, error)
	parsed     atomic.Pointer[T]
	text       []byte // when it was last read
}

// MissingError is returned if a file of credentials is missing or unreadable: none of them is valid
// until it is back.
type MissingError struct {
	What  string // API keys or token keys
	cause error
}

func (e *MissingError) Error() string {
	return "read " + e.What + ": " + e.cause.Error() + "; every key is rejected until the file is back"
}

func (e *MissingError) Unwrap() error { return e.cause }

// load reads the file for the first time, when it must be there.
func (f *file[T]) load() error {
	err := f.Reload()
	if gone, ok := errors.AsType[*MissingError](err); ok {
		return fmt.Errorf("read %s: %w", f.what, gone.cause)
	}
	return err
}

// Reload reads the file again and compares its content, not its time. An invalid file keeps what was
// valid before. A missing one rejects every credential, for removing it is taken to mean that; the error
// is a *MissingError then.
func (f *file[T]) Reload() error {
	text, err := os.ReadFile(f.path)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		f.parsed.Store(nil)
		f.text = nil
		return &MissingError{f.what, err}
	case err != nil:
		return fmt.Errorf("read %s: %w", f.what, err)
	case f.parsed.Load() != nil && bytes.Equal(text, f.text):
		return nil
	}
	parsed, err := f.parse(text)
	if err != nil {
		return fmt.Errorf("read %s of %s: %w", f.what, f.path, err)
	}
	f.parsed.Store(parsed)
	f.text = text
	return nil
}
