package main

import (
	"sync"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/intake"
	"github.com/estela-dev/estela/services/internal/worker"
)

// maxReasons bounds the reasons that are counted.
const maxReasons = 1000

// rejectReasons counts the rejects of this process by reason, and passes all measurements on.
type rejectReasons struct {
	worker.Observer

	mu    sync.Mutex
	count map[string]int64
	top   string            // the most frequent
	texts map[string]string // of the first reject of each
}

func newRejectReasons(next worker.Observer) *rejectReasons {
	return &rejectReasons{Observer: next, count: map[string]int64{}, texts: map[string]string{}}
}

// Committed counts the batch's rejects by their first violation.
func (r *rejectReasons) Committed(dataset string, b *contract.Batch, took time.Duration) {
	r.Observer.Committed(dataset, b, took)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, reject := range b.Rejects {
		if len(reject.Violations) == 0 {
			continue
		}
		v := reject.Violations[0]
		key := dataset + " " + intake.ReasonKey(v)
		if r.count[key] == 0 {
			if len(r.count) >= maxReasons {
				continue
			}
			r.texts[key] = dataset + " " + v.String()
		}
		if r.count[key]++; r.count[key] > r.count[r.top] {
			r.top = key
		}
	}
}

// mostFrequent returns the reason that most rejects have, and how many; "" before the first.
func (r *rejectReasons) mostFrequent() (reason string, rejects int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.texts[r.top], r.count[r.top]
}
