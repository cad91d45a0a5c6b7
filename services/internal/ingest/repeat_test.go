package ingest_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/ingest"
)

// watched is a publisher that calls before with the number of each call, from 1.
type watched struct {
	ingest.Publisher
	calls  atomic.Int64
	before func(call int64, additions []event.Addition)
}

func (w *watched) Append(k *contract.Contract, additions []event.Addition) error {
	w.before(w.calls.Add(1), additions)
	return w.Publisher.Append(k, additions)
}

func watching(before func(call int64, additions []event.Addition)) setting {
	return func(cfg *ingest.Config, _ *api.Config) {
		cfg.Publisher = &watched{Publisher: cfg.Publisher, before: before}
	}
}

// A server that loses what it has confirmed of a request, and then takes the rest: the request is not acknowledged, and
// its repetition publishes all.
func TestServerForgetsHalfARequest(t *testing.T) {
	t.Parallel()
	for _, shards := range []int{1, 3} {
		var s *site
		s = setup(t, things(t, shards), watching(func(call int64, _ []event.Addition) {
			if call == 3 {
				s.redis.Do("FLUSHALL")
			}
		}))
		const n = 4000
		var body strings.Builder
		for i := range n {
			fmt.Fprintf(&body, "{\"id\":\"%d\",\"p\":\"p%d\",\"text\":\"%s\"}\n", i, i%5, strings.Repeat("t", 1000))
		}
		r := s.post(t, "", ndjson, []byte(body.String()), "Idempotency-Key", "k")
		r.wants(t, "half of it is lost", http.StatusServiceUnavailable, "stream-unavailable")
		r = s.post(t, "", ndjson, []byte(body.String()), "Idempotency-Key", "k")
		r.wants(t, "again", http.StatusAccepted, "")
		if got := len(s.events(t)); got != n || r.Events != n {
			t.Errorf("%d shards: %d events are published, %d acknowledged", shards, got, r.Events)
		}
		inOrder(t, s)
	}
}

// One invalid event of two lines is not the same request as two of one line.
func TestIdempotencyKeyOfLinesThatJoin(t *testing.T) {
	t.Parallel()
	s := setup(t, things(t, 1))
	s.post(t, "?on-invalid=reject", "application/json", []byte("[1\n2]"), "Idempotency-Key", "k").wants(t, "one", http.StatusAccepted, "")
	s.post(t, "?on-invalid=reject", ndjson, []byte("1\n2"), "Idempotency-Key", "k").wants(t, "two", 422, "idempotency-key-reused")
	equal(t, "published", s.events(t), []string{"1\n2"})
}

// A small body may become many entries. Redis, which answers nobody else meanwhile, gets some at a time.
func TestManyEntries(t *testing.T) {
	t.Parallel()
	const n = 10_000
	body := []byte("[" + strings.Repeat(",", n-1) + "]") // nothing, n times
	for _, headers := range [][]string{nil, {"Idempotency-Key", "k"}} {
		s := setup(t, things(t, 1), watching(func(_ int64, additions []event.Addition) {
			if most := len(additions[0].Entries); most > 5000 {
				t.Errorf("%d entries at once", most)
			}
		}))
		r := s.post(t, "?on-invalid=reject", "application/json", body, headers...)
		r.wants(t, fmt.Sprint(headers), http.StatusAccepted, "")
		if got := s.redis.Do("XLEN", "estela:{things:0}"); got != int64(n) || r.Events != n {
			t.Errorf("%v: %v entries, %d events", headers, got, r.Events)
		}
	}
}

// Two requests under one key at once: one of them is published.
func TestIdempotencyKeyOfTwoRequestsAtOnce(t *testing.T) {
	t.Parallel()
	s := setup(t, things(t, 3))
	for round := range 20 {
		statuses := make(chan int, 2)
		for i := range 2 {
			go func() {
				var body strings.Builder
				for j := range 50 {
					fmt.Fprintln(&body, thing(fmt.Sprintf("%d-%d-%d", round, i, j), fmt.Sprint("p", j)))
				}
				r, err := s.send(t.Context(), "", ndjson, strings.NewReader(body.String()), "Idempotency-Key", fmt.Sprint(round))
				if err != nil {
					t.Error(err)
					statuses <- 0
					return
				}
				statuses <- r.status
			}()
		}
		if a, b := <-statuses, <-statuses; a+b != http.StatusAccepted+http.StatusUnprocessableEntity {
			t.Errorf("%d and %d", a, b)
		}
	}
	if n := len(s.events(t)); n != 20*50 {
		t.Errorf("%d events are published", n)
	}
}
