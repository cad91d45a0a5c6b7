//go:build !linux

package database

// lowerPriority does nothing: only Linux has a nice value per thread.
func lowerPriority() {}
