package usage_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/estela-dev/estela/data"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/telemetrytest"
	"github.com/estela-dev/estela/services/internal/usage"
)

// row is an event as it is published.
type row struct {
	ID, Subject, Endpoint, Operation string
	Minute                           time.Time
	Requests, Cached, Rows, Bytes    int64
	ClientErrors                     int64 `json:"client_errors"`
	ServerErrors                     int64 `json:"server_errors"`
	Milliseconds                     float64
}

// redis is a publisher that keeps what it gets.
type redis struct {
	t       *testing.T
	decoder *contract.Decoder
	batch   *contract.Batch
	// fail is called after each append, nil for success.
	fail func() error

	mu   sync.Mutex
	sent int // events, with those that were sent again
	rows map[string]row
	text map[string]string // by ID
}

// Append implements usage.Publisher: it fails the test for an event that breaks the contract, and for one that
// is sent again and differs.
func (r *redis) Append(_ *contract.Contract, additions []event.Addition) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.batch.Reset()
	for _, a := range additions {
		for _, e := range a.Entries {
			lines := bytes.Split(e.Data, []byte("\n"))
			if e.Kind != event.Lines || len(lines) != e.Events {
				r.t.Errorf("an entry of kind %d with %d events has %d lines", e.Kind, e.Events, len(lines))
			}
			for i, line := range lines {
				r.decoder.Decode(r.batch, line, event.ID{MS: 1}, uint32(i))
				r.take(line)
			}
		}
	}
	for _, wrong := range r.batch.Rejects {
		r.t.Errorf("a reject: %s %v", wrong.Payload, wrong.Violations)
	}
	if r.fail != nil {
		return r.fail()
	}
	return nil
}

func (r *redis) take(line []byte) {
	var one row
	if err := json.Unmarshal(line, &one); err != nil {
		r.t.Error(err)
	}
	if before, again := r.text[one.ID]; again && before != string(line) {
		r.t.Errorf("%s was sent as %s and again as %s", one.ID, before, line)
	}
	r.sent++
	r.rows[one.ID], r.text[one.ID] = one, string(line)
}

// all returns the rows that a warehouse would have, by minute, subject, endpoint and operation.
func (r *redis) all() []row {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.SortedFunc(maps.Values(r.rows), func(a, b row) int {
		return cmp.Or(a.Minute.Compare(b.Minute), strings.Compare(a.Subject, b.Subject), strings.Compare(a.Endpoint, b.Endpoint), strings.Compare(a.Operation, b.Operation))
	})
}

func (r *redis) requests() (n int64) {
	for _, one := range r.all() {
		n += one.Requests
	}
	return n
}

// setup returns a meter that runs until stop, which closes it within the time.
func setup(t *testing.T, fail func() error) (m *usage.Meter, to *redis, log *telemetrytest.Log, stop func(within time.Duration)) {
	t.Helper()
	k, err := contract.Load(data.FS, "usage")
	if err != nil {
		t.Fatal(err)
	}
	to, log = &redis{t: t, decoder: k.NewDecoder(), batch: k.NewBatch(0, 2*usage.MaxSeries), fail: fail, rows: map[string]row{}, text: map[string]string{}}, &telemetrytest.Log{}
	m = usage.New(k, to, slog.New(slog.NewTextHandler(log, nil)))
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { m.Run(ctx) })
	return m, to, log, func(within time.Duration) {
		cancel()
		running.Wait()
		closing, cancel := context.WithTimeout(t.Context(), within)
		defer cancel()
		m.Close(closing)
	}
}

func answer(subject string) usage.Answer {
	return usage.Answer{Subject: subject, Endpoint: "flights/delays", Status: 200, Rows: 2, Bytes: 100, Took: 1500 * time.Microsecond}
}

// A minute's answers are one event a subject, endpoint and operation; those of the next minute are others.
func TestMinutes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, to, _, stop := setup(t, nil)
		time.Sleep(59*time.Second + 999*time.Millisecond) // the bubble's clock begins with a minute
		m.Add(answer("a"))
		cached := answer("a")
		cached.Cached = true
		m.Add(cached)
		m.Add(answer("b"))
		for _, status := range []int{304, 401, 499, 500, 503, 507} {
			m.Add(usage.Answer{Endpoint: "other", Status: status})
		}
		m.Add(usage.Answer{Subject: "a", Endpoint: "flights/delays", Write: true, Status: 202, Rows: 7, Bytes: 70})
		if len(to.all()) > 0 {
			t.Errorf("published before the minute's end: %v", to.all())
		}
		time.Sleep(2 * time.Millisecond)
		m.Add(answer("a"))
		stop(time.Minute)
		first := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
		want := []row{
			{Minute: first, Subject: "(anonymous)", Endpoint: "other", Operation: "read", Requests: 6, ClientErrors: 2, ServerErrors: 3},
			{Minute: first, Subject: "a", Endpoint: "flights/delays", Operation: "read", Requests: 2, Cached: 1, Rows: 4, Bytes: 200, Milliseconds: 3},
			{Minute: first, Subject: "a", Endpoint: "flights/delays", Operation: "write", Requests: 1, Rows: 7, Bytes: 70},
			{Minute: first, Subject: "b", Endpoint: "flights/delays", Operation: "read", Requests: 1, Rows: 2, Bytes: 100, Milliseconds: 1.5},
			{Minute: first.Add(time.Minute), Subject: "a", Endpoint: "flights/delays", Operation: "read", Requests: 1, Rows: 2, Bytes: 100, Milliseconds: 1.5},
		}
		got := to.all()
		for i := range got {
			got[i].ID = ""
		}
		if !slices.Equal(got, want) {
			t.Errorf("got\n%v, want\n%v", got, want)
		}
		if m.Pending() != 0 || m.Lost() != 0 {
			t.Errorf("%d pending, %d lost", m.Pending(), m.Lost())
		}
	})
}

// Whatever happens between a publish and its reply, each answer is in one event: what is sent again has the
// same IDs, by which the worker drops it, and the same content.
func TestUnknownOutcome(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		attempts := 0
		m, to, log, stop := setup(t, func() error {
			if attempts++; attempts%3 != 0 {
				return errors.New("connection reset after the server had it")
			}
			return nil
		})
		for range 600 {
			m.Add(answer("a"))
			m.Add(answer("b"))
			time.Sleep(time.Second)
		}
		stop(time.Minute)
		if got := to.requests(); got != 1200 || m.Lost() != 0 || m.Pending() != 0 {
			t.Errorf("%d of 1200 requests, %d lost, %d pending", got, m.Lost(), m.Pending())
		}
		if events := len(to.all()); events < 20 || to.sent != 3*events {
			t.Errorf("%d events were sent %d times", events, to.sent)
		}
		if n := strings.Count(log.String(), "publish of usage failed"); n == 0 || n > 11 {
			t.Errorf("it was logged %d times that publishing fails\n%s", n, log)
		}
	})
}

// While Redis is gone minutes wait; those that are too old to be published safely are counted as lost.
func TestOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var back atomic.Bool
		m, to, log, stop := setup(t, func() error {
			if back.Load() {
				return nil
			}
			return errors.New("connection refused")
		})
		time.Sleep(30 * time.Second) // not at the end of a minute
		for range 30 {
			m.Add(answer("a"))
			time.Sleep(time.Minute)
		}
		if m.Pending() != 30 || m.Lost() != 0 {
			t.Errorf("%d minutes wait, %d are lost", m.Pending(), m.Lost())
		}
		time.Sleep(usage.MaxAge - 10*time.Minute) // the first 19 to 21 are too old
		lost := m.Lost()
		if lost < 19 || lost > 21 || m.Pending() != 30-int(lost) {
			t.Errorf("%d minutes wait, %d are lost", m.Pending(), lost)
		}
		if n := strings.Count(log.String(), "lost usage of a minute"); n != int(lost) {
			t.Errorf("%d of %d were logged", n, lost)
		}
		back.Store(true)
		time.Sleep(10 * time.Second)
		if m.Pending() != 0 || m.Lost() != lost {
			t.Errorf("%d minutes wait, %d are lost", m.Pending(), m.Lost())
		}
		stop(time.Minute)
		if to.requests() != 30 { // those that were given up had reached it, too: it was the replies that failed
			t.Errorf("%d requests", to.requests())
		}
	})
}

// The memory of what waits is bounded too.
func TestOutageOfMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		k, err := contract.Load(data.FS, "usage")
		if err != nil {
			t.Fatal(err)
		}
		m := usage.New(k, refusing{}, slog.New(slog.DiscardHandler))
		const minutes, subjects, size, limit = 20, 10, 1000, 100_000
		m.LimitPending(limit)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { m.Run(ctx); close(done) }()
		time.Sleep(30 * time.Second) // not at the end of a minute
		for range minutes {
			for i := range subjects {
				m.Add(answer(fmt.Sprintf("%0*d", size, i)))
			}
			time.Sleep(time.Minute)
		}
		if n := m.Pending(); n < limit/(subjects*(size+300)) || n > limit/(subjects*size) || m.Lost() != int64(minutes-n)*subjects {
			t.Errorf("%d minutes wait, %d requests are lost", n, m.Lost())
		}
		cancel()
		<-done
		closing, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		m.Close(closing)
		if m.Pending() != 0 || m.Lost() != minutes*subjects {
			t.Errorf("at the end %d minutes wait, %d requests are lost", m.Pending(), m.Lost())
		}
	})
}

type refusing struct{}

// Append implements usage.Publisher.
func (refusing) Append(*contract.Contract, []event.Addition) error {
	return errors.New("connection refused")
}

// Too many subjects are counted together; no answer is missing in the sums.
func TestOverflow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, to, _, stop := setup(t, nil)
		const more = 500
		for range 3 {
			for i := range usage.MaxSeries + more {
				m.Add(answer(fmt.Sprintf("s%05d ñ\"\\\x01\xff", i)))
			}
		}
		m.Add(usage.Answer{Subject: "new", Endpoint: "index", Status: 200})
		stop(time.Minute)
		got := to.all()
		if len(got) != usage.MaxSeries+2 || to.requests() != 3*(usage.MaxSeries+more)+1 {
			t.Errorf("%d events of %d requests", len(got), to.requests())
		}
		for _, one := range got {
			want := int64(3)
			switch {
			case one.Subject == usage.Other && one.Endpoint == "index":
				want = 1
			case one.Subject == usage.Other:
				want = 3 * more
			}
			if one.Requests != want {
				t.Errorf("%q %s: %d requests, want %d", one.Subject, one.Endpoint, one.Requests, want)
			}
		}
	})
}

// What is left when the process stops is published, or counted as lost if Redis doesn't answer.
func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, to, _, stop := setup(t, nil)
		time.Sleep(90 * time.Second)
		m.Add(answer("a"))
		stop(time.Second)
		if to.requests() != 1 || m.Lost() != 0 {
			t.Errorf("%d requests, %d lost", to.requests(), m.Lost())
		}

		answers := make(chan struct{})
		m, _, log, stop := setup(t, func() error { <-answers; return nil })
		time.Sleep(90 * time.Second)
		m.Add(answer("a"))
		start := time.Now()
		stop(2 * time.Second)
		if took := time.Since(start); took != 2*time.Second || m.Lost() != 1 || m.Pending() != 0 {
			t.Errorf("it took %s, %d lost, %d pending\n%s", took, m.Lost(), m.Pending(), log)
		}
		close(answers)
	})
}

// Answers that are counted while minutes end are counted once.
func TestConcurrentAnswers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m, to, _, stop := setup(t, nil)
		var clients sync.WaitGroup
		const each = 2000
		for i := range 8 {
			clients.Go(func() {
				for range each {
					m.Add(answer(fmt.Sprint(i % 3)))
					time.Sleep(100 * time.Millisecond)
				}
			})
		}
		clients.Wait()
		stop(time.Minute)
		if got := to.requests(); got != 8*each {
			t.Errorf("%d of %d requests", got, 8*each)
		}
	})
}

// BenchmarkAdd is what counting costs an answer.
func BenchmarkAdd(b *testing.B) {
	k, err := contract.Load(data.FS, "usage")
	if err != nil {
		b.Fatal(err)
	}
	m := usage.New(k, refusing{}, slog.New(slog.DiscardHandler))
	for i := range 100 {
		m.Add(answer(fmt.Sprint("subject-", i)))
	}
	one := answer("subject-7")
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			m.Add(one)
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				m.Add(one)
			}
		})
	})
}
