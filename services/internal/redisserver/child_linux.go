package redisserver

import "syscall"

// childAttributes keeps Ctrl-C, which the terminal sends to the whole process
// group, from the child, and ends it with us even if we are killed.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}
