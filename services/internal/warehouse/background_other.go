//go:build !linux

package warehouse

// lowerPriority does nothing: elsewhere a priority is a process's.
func lowerPriority() {}
