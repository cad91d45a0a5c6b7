package database

import (
	"runtime"
	"sync"
)

// background is a pool of low-priority threads for the queries of readers, so that they don't starve
// ingestion. (Measured on two cores: without it, 64 clients that query aggregates over a million rows
// left ingestion 22 % of its rate.) Only DuckDB's code runs there: a low-priority thread in Go code could
// delay the garbage collector and with it all goroutines.
type background struct {
	jobs chan func()
	done sync.WaitGroup
}

// newBackground starts n threads. Where the system can't lower a thread's priority, they have the
// process'.
func newBackground(n int) *background {
	b := &background{jobs: make(chan func())}
	for range n {
		b.done.Go(func() {
			runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
			lowerPriority()
			for job := range b.jobs {
				job()
			}
		})
	}
	return b
}

// run runs fn on a thread of the pool and waits for it.
func (b *background) run(fn func()) {
	done := make(chan struct{})
	b.jobs <- func() {
		defer close(done)
		fn()
	}
	<-done
}

func (b *background) stop() {
	close(b.jobs)
	b.done.Wait()
}
