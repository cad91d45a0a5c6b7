//go:build !linux

package redisserver

import "syscall"

// childAttributes keeps Ctrl-C, which the terminal sends to the whole process
// group, from the child.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
