package worker

import "sync"

// quota bounds how many shards this worker owns.
type quota struct {
	mu        sync.Mutex
	limit     int
	owned     int
	releasing map[*shard]bool // surplus, not released yet
}

func (q *quota) set(limit int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.limit = limit
}

// reserve reports whether the quota allows one more shard, and counts it.
func (q *quota) reserve() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.owned >= q.limit {
		return false
	}
	q.owned++
	return true
}

// release uncounts a shard that is owned no more.
func (q *quota) release(sh *shard) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.owned--
	delete(q.releasing, sh)
}

// surplus reports whether this shard must be released to another worker: it is above the
// quota, which has shrunk.
func (q *quota) surplus(sh *shard) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.owned-len(q.releasing) <= q.limit {
		return q.releasing[sh]
	}
	if q.releasing == nil {
		q.releasing = map[*shard]bool{}
	}
	q.releasing[sh] = true
	return true
}
