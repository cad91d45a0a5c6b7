package ingest

import (
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
)

// maxClients is the number of clients with a budget; the least recently used is evicted.
const maxClients = 10_000

// limiter admits requests: each client's rate, and how many are in flight.
type limiter struct {
	cfg     *Config
	budgets *otter.Cache[string, *budget]

	mu       sync.Mutex
	inFlight int
	byClient map[string]int
	waiting  int
}

func newLimiter(cfg *Config) *limiter {
	return &limiter{
		cfg: cfg, byClient: map[string]int{},
		budgets: otter.Must(&otter.Options[string, *budget]{MaximumSize: maxClients}),
	}
}

// admission is a request in flight.
type admission struct {
	limiter *limiter
	client  string
	budget  *budget // nil without a limit
	waits   bool    // is also counted among those who wait
}

// admit takes a request of the client, whose own rate goes before the server's. waits: it will wait until its
// events are stored. The caller calls release.
func (l *limiter) admit(client string, rate int, waits bool, now time.Time) (*admission, error) {
	if rate == 0 {
		rate = l.cfg.Rate
	}
	a := &admission{limiter: l, client: client, waits: waits}
	if rate > 0 || l.cfg.Bytes > 0 {
		a.budget, _ = l.budgets.ComputeIfAbsent(client, func() (*budget, bool) { return &budget{}, false })
		if wait := a.budget.take(float64(rate), float64(l.cfg.Bytes), now); wait > 0 {
			p := limited.New("", fmt.Sprintf("More than %s in a second. Wait as long as Retry-After says.", rates(rate, l.cfg.Bytes)))
			p.RetryAfter = int(math.Ceil(wait))
			return nil, p
		}
	}
	return a, l.enter(a)
}

// rates describes the limits.
func rates(requests int, bytes int64) string {
	switch {
	case bytes == 0:
		return fmt.Sprintf("%d requests", requests)
	case requests == 0:
		return fmt.Sprintf("%d bytes", bytes)
	default:
		return fmt.Sprintf("%d requests or %d bytes", requests, bytes)
	}
}

// enter counts the request as in flight.
func (l *limiter) enter(a *admission) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	most := max(1, l.cfg.MaxInFlight/2)
	switch {
	case l.inFlight >= l.cfg.MaxInFlight:
		return busy.New("", fmt.Sprintf("%d requests are in flight, as many as the server takes on. Try again after what Retry-After says.", l.inFlight))
	case a.waits && l.waiting >= l.cfg.MaxWaiting:
		return busy.New("", fmt.Sprintf("%d requests wait until their events are stored, as many as the server lets wait. Try again after what Retry-After says, or without durability=stored.", l.waiting))
	case l.byClient[a.client] >= most:
		return limited.New("", fmt.Sprintf("The client has %d requests in flight, as many as it may. Wait for an answer before the next one.", most))
	}
	l.inFlight++
	l.byClient[a.client]++
	if a.waits {
		l.waiting++
	}
	return nil
}

// load returns the requests in flight, and those that wait, or will, until their events are stored.
func (l *limiter) load() (inFlight, waiting int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inFlight, l.waiting
}

// published ends the request's time in flight. It goes on to wait, or is answered.
func (a *admission) published() {
	a.limiter.mu.Lock()
	defer a.limiter.mu.Unlock()
	a.leave()
}

// leave counts the request as in flight no more.
func (a *admission) leave() {
	if a.client == left {
		return
	}
	a.limiter.inFlight--
	if a.limiter.byClient[a.client]--; a.limiter.byClient[a.client] == 0 {
		delete(a.limiter.byClient, a.client)
	}
	a.client = left
}

// left is the client of an admission that is not in flight any more. No client has this name.
const left = "\x00"

// release ends the admission.
func (a *admission) release() {
	a.limiter.mu.Lock()
	defer a.limiter.mu.Unlock()
	a.leave()
	if a.waits {
		a.limiter.waiting--
	}
}

// spend takes the bytes of the request's body from the client's budget.
func (a *admission) spend(bytes int64) {
	if a.budget != nil {
		a.budget.mu.Lock()
		defer a.budget.mu.Unlock()
		a.budget.bytes -= float64(bytes)
	}
}

// budget is what a client may use: token buckets of one second. The size of a body is known once it is read, so
// that bytes may fall below zero: then the next request waits.
type budget struct {
	mu              sync.Mutex
	requests, bytes float64
	at              time.Time
}

// take takes one request, or returns how many seconds to wait for it. The rates are a second's, 0 is no
// limit.
func (b *budget) take(requests, bytes float64, now time.Time) (wait float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	passed := 1.0 // a full second's budget to begin with
	if !b.at.IsZero() {
		passed = max(0, now.Sub(b.at).Seconds())
	}
	b.at = now
	b.requests = min(requests, b.requests+passed*requests)
	b.bytes = min(bytes, b.bytes+passed*bytes)
	if requests > 0 && b.requests < 1 {
		wait = (1 - b.requests) / requests
	}
	if bytes > 0 && b.bytes <= 0 {
		wait = max(wait, (1-b.bytes)/bytes)
	}
	if wait == 0 && requests > 0 {
		b.requests--
	}
	return wait
}
