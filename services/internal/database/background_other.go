//go:build !linux

package database

// lowerPriority does nothing: elsewhere a priority is a process's.
func lowerPriority() {}
