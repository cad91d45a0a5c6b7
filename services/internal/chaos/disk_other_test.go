//go:build !linux

package chaos_test

// diskFaults are none where a small disk can't be mounted.
func diskFaults() []fault { return nil }
