package api

import (
	"sync/atomic"
	"time"

	"github.com/estela-dev/estela/services/internal/encode"
	"github.com/estela-dev/estela/services/internal/queue"
	"github.com/estela-dev/estela/services/internal/result"
	"github.com/estela-dev/estela/services/internal/spool"
)

// entry is an answer ready to be sent, to one client or to many.
type entry struct {
	*spool.Body

	contentType, policy, encoding, etag, asOf, link []byte

	at result.Snapshot
	// seen is when the data were last known to be as the answer shows them, in
	// nanoseconds since 1970.
	seen atomic.Int64
	// refreshing is true while somebody makes the next one.
	refreshing atomic.Bool
}

// newEntry is the answer to the request. The sum is of what it was made of.
func newEntry(r *route, q request, body *spool.Body, m encode.Meta, at result.Snapshot, sum uint64) *entry {
	e := &entry{
		Body: body, contentType: []byte(q.format.mediaType), policy: []byte(q.format.policy), encoding: []byte(body.Coding),
		etag: r.etag(q.key, sum), at: at,
	}
	e.seen.Store(time.Now().UnixNano())
	if !at.AsOf.IsZero() {
		e.asOf = encode.AppendTime(nil, result.TimestampTZ, at.AsOf)
	}
	if m.Next != "" {
		e.link = []byte("<" + q.following(m.Next) + `>; rel="next"`)
	}
	return e
}

// fresh reports whether the answer may still be given without asking the warehouse.
func (e *entry) fresh(cache time.Duration, now time.Time) bool {
	return now.UnixNano()-e.seen.Load() < int64(cache)
}

// maxStale is how much longer than its cache time an answer is given while the next one is
// being made or waits for its turn, or where there is no room to make one.
const maxStale = time.Minute

// stale reports whether the answer, though too old, is better than none.
func (e *entry) stale(cache time.Duration, now time.Time) bool {
	return cache > 0 && now.UnixNano()-e.seen.Load() < int64(cache+maxStale)
}

// current reports whether the answer is to be given without waiting: it is fresh, or the next
// one is being made or would have to wait for a turn.
func (e *entry) current(cache time.Duration, now time.Time, turns *queue.Queue) bool {
	return e.fresh(cache, now) || e.stale(cache, now) && (e.refreshing.Load() || turns.Full())
}

// ageing reports whether three quarters of the time are over.
func (e *entry) ageing(cache time.Duration, now time.Time) bool {
	return now.UnixNano()-e.seen.Load() > int64(cache)/4*3
}
