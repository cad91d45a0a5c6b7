package database

import "syscall"

// readNice is the nice value of reads: at 15 a thread has a thirtieth of the weight of one at 0.
const readNice = 15

// lowerPriority lowers the priority of the current thread, which needs no privilege.
func lowerPriority() { _ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, readNice) }
