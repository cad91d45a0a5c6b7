package database

import (
	"runtime"
	"sync"
)

// background runs the queries of reads on threads of a lower priority, so that
// clients who ask for more than can be answered don't take the processor from
// ingestion. (Measured on two cores: with 64 clients asking for aggregates over a
// million rows, ingestion kept 22 % of its rate without it.) What runs there is
// DuckDB only: a thread that waits for the processor while it runs Go could hold up
// the garbage collector and with it everyone.
type background struct {
	jobs chan func()
	done sync.WaitGroup
}

// newBackground starts n threads. They are of the caller's own priority where the
// system can't lower that of a thread.
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

// run runs fn there and waits for it.
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
