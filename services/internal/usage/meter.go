package usage

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// The subjects that are no key's name.
const (
	Anonymous = "(anonymous)"
	Other     = "(other)"
)

const (
	// MaxSeries is the number of pairs of subject and endpoint that are counted in a minute, apart
	// from those of Other.
	MaxSeries = 10_000
	// MaxPending is the size of the events that wait for Redis, in bytes.
	MaxPending = 64 << 20
	// MaxAge is how long they wait.
	MaxAge = 23 * time.Hour
	// retryAfter is the time until a minute that could not be published is tried again.
	retryAfter = 5 * time.Second
)

// Answer is what was answered to a request.
type Answer struct {
	// Subject is who asked, empty if nobody knows.
	Subject  string
	Endpoint string
	// Write is true for a request that wrote events.
	Write  bool
	Status int
	Cached bool
	Rows   int
	Bytes  int64
	Took   time.Duration
}

// Publisher adds entries to streams, as [ingest.Publisher] does.
type Publisher interface {
	Append(k *contract.Contract, additions []event.Addition) error
}

// Meter counts answers and publishes the counts. It is safe for concurrent use.
type Meter struct {
	contract  *contract.Contract
	publisher Publisher
	log       *slog.Logger
	instance  string
	wake      chan struct{} // a minute has ended

	mu     sync.Mutex
	minute time.Time // when the counting of counts has begun
	counts map[series]*count

	minutes int // that have ended; only endMinute uses it

	maxPending int

	pendingMu    sync.Mutex
	pending      []*minute
	pendingBytes int
	lost         int64
}

// New returns a meter, whose events are of the contract.
func New(k *contract.Contract, to Publisher, log *slog.Logger) *Meter {
	return &Meter{
		contract: k, publisher: to, log: log, instance: rand.Text(), wake: make(chan struct{}, 1),
		maxPending: MaxPending, minute: time.Now(), counts: map[series]*count{},
	}
}

// Add counts an answer.
func (m *Meter) Add(a Answer) {
	if a.Subject == "" {
		a.Subject = Anonymous
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.countOf(series{a.Subject, a.Endpoint, a.Write}).add(&a)
}

// countOf returns the count of a series, or of the other subjects if there are too many.
func (m *Meter) countOf(s series) *count {
	if c := m.counts[s]; c != nil {
		return c
	}
	if len(m.counts) >= MaxSeries && s.subject != Other {
		s.subject = Other
		return m.countOf(s)
	}
	c := &count{}
	m.counts[s] = c
	return c
}

// Run publishes the counts of each minute once it has ended, until ctx ends; Close publishes the rest.
func (m *Meter) Run(ctx context.Context) {
	var parts sync.WaitGroup
	parts.Go(func() { m.endMinutes(ctx) })
	parts.Go(func() { m.publishMinutes(ctx) })
	parts.Wait()
}

// endMinutes ends each minute in time, however long publishing takes.
func (m *Meter) endMinutes(ctx context.Context) {
	for {
		now := time.Now()
		select {
		case <-time.After(now.Truncate(time.Minute).Add(time.Minute).Sub(now)):
			m.endMinute()
		case <-ctx.Done():
			return
		}
	}
}

// publishMinutes publishes minutes as they end, and again what could not be published.
func (m *Meter) publishMinutes(ctx context.Context) {
	failing := false
	for {
		err := m.publish(ctx)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil && !failing:
			m.log.Warn("publish of usage failed, retrying", slog.Any("error", err))
		case err == nil && failing:
			m.log.Info("published usage again")
		}
		var retry <-chan time.Time // never
		if failing = err != nil; failing {
			retry = time.After(retryAfter)
		}
		select {
		case <-m.wake:
		case <-retry:
		case <-ctx.Done():
			return
		}
	}
}

// Close publishes what is left, until ctx ends. Nothing may be added to the meter, and Run must have ended.
func (m *Meter) Close(ctx context.Context) {
	m.endMinute()
	for {
		err := m.publish(ctx)
		if err == nil {
			return
		}
		select {
		case <-time.After(retryAfter / 10):
		case <-ctx.Done():
			m.giveUp(func(*minute) bool { return true }, err)
			return
		}
	}
}

// endMinute makes events of the counts.
func (m *Meter) endMinute() {
	m.mu.Lock()
	began, counts := m.minute, m.counts
	m.minute, m.counts = time.Now(), make(map[series]*count, len(counts))
	m.mu.Unlock()
	if len(counts) == 0 {
		return
	}
	m.minutes++
	ended := newMinute(m.instance, m.minutes, began, counts)
	m.pendingMu.Lock()
	m.pending = append(m.pending, ended)
	m.pendingBytes += ended.bytes
	m.pendingMu.Unlock()
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// errPending is the reason to give up a minute that was never tried.
var errPending = errors.New("too many minutes wait for Redis")

// publish publishes the minutes that have ended, the oldest first, and gives up those that have waited for too
// long.
func (m *Meter) publish(ctx context.Context) error {
	m.giveUp(func(first *minute) bool { return m.pendingBytes > m.maxPending || time.Since(first.began) > MaxAge }, errPending)
	for {
		next := m.oldest()
		if next == nil {
			return nil
		}
		if err := m.append(ctx, next); err != nil {
			return err
		}
		m.pendingMu.Lock()
		m.removeOldest()
		m.pendingMu.Unlock()
	}
}

// append publishes a minute, or returns the error of ctx and leaves that to end by itself: an append doesn't
// end with a context.
func (m *Meter) append(ctx context.Context, one *minute) error {
	done := make(chan error, 1)
	go func() { done <- m.publisher.Append(m.contract, []event.Addition{{Entries: one.entries}}) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (m *Meter) oldest() *minute {
	m.pendingMu.Lock()
	defer m.pendingMu.Unlock()
	if len(m.pending) == 0 {
		return nil
	}
	return m.pending[0]
}

// removeOldest removes the oldest minute; m.pendingMu is held.
func (m *Meter) removeOldest() {
	m.pendingBytes -= m.pending[0].bytes
	m.pending = m.pending[1:]
}

// giveUp loses the oldest minutes as long as the condition holds for the first.
func (m *Meter) giveUp(holds func(first *minute) bool, why error) {
	m.pendingMu.Lock()
	defer m.pendingMu.Unlock()
	for len(m.pending) > 0 && holds(m.pending[0]) {
		first := m.pending[0]
		m.lost += first.requests
		m.removeOldest()
		m.log.Error("lost usage of a minute",
			slog.Time("minute", first.began.Truncate(time.Minute)), slog.Int64("requests", first.requests), slog.Any("error", why))
	}
}

// Pending returns how many minutes wait for Redis.
func (m *Meter) Pending() int {
	m.pendingMu.Lock()
	defer m.pendingMu.Unlock()
	return len(m.pending)
}

// Lost returns how many requests were counted and given up.
func (m *Meter) Lost() int64 {
	m.pendingMu.Lock()
	defer m.pendingMu.Unlock()
	return m.lost
}

// series is what is counted together.
type series struct {
	subject, endpoint string
	write             bool
}

// count is the sum of the answers of a series in a minute.
type count struct {
	requests, cached, clientErrors, serverErrors, rows, bytes int64
	took                                                      time.Duration
}

func (c *count) add(a *Answer) {
	c.requests++
	if a.Cached {
		c.cached++
	}
	switch {
	case a.Status >= http.StatusInternalServerError:
		c.serverErrors++
	case a.Status >= http.StatusBadRequest:
		c.clientErrors++
	}
	c.rows += int64(a.Rows)
	c.bytes += a.Bytes
	c.took += a.Took
}
