package database

import "syscall"

// readNice is the nice value of reads. At 15 a thread gets a thirtieth of what one of
// ingestion's gets, where both want all.
const readNice = 15

// lowerPriority makes the current thread one that others go before. It needs no
// privilege; what fails is left as it is.
func lowerPriority() { _ = syscall.Setpriority(syscall.PRIO_PROCESS, 0, readNice) }
