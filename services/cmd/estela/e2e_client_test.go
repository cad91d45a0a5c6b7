package main_test

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/client"
	"github.com/estela-dev/estela/services/internal/redistest"
)

// flight is an event of flights, and a row of flights/events.
type flight struct {
	EventID       string    `json:"event_id"`
	EventType     string    `json:"event_type"`
	OccurredAt    time.Time `json:"occurred_at"`
	FlightID      string    `json:"flight_id"`
	DepartedLocal string    `json:"departed_local"`
	Origin        string    `json:"origin"`
	OriginZone    string    `json:"origin_zone"`
	Destination   string    `json:"destination"`
	Delay         int64     `json:"arrival_delay_minutes"`
	Distance      int64     `json:"distance_miles"`
	Source        string    `json:"source"`
}

func flightNumbered(n int, source string) flight {
	at := time.Date(2001, 1, 1, 0, n, 0, 0, time.UTC)
	id := at.Format("20060102T1504") + "-LAX-BNA-" + fmt.Sprint(len(source))
	return flight{
		EventID: id + ":completed", EventType: "flight.completed", OccurredAt: at.Add(8 * time.Hour), FlightID: id,
		DepartedLocal: at.Format("2006-01-02T15:04:05"), Origin: "LAX", OriginZone: "America/Los_Angeles", Destination: "BNA",
		Delay: int64(n%300) - 100, Distance: int64(n % 12500), Source: source,
	}
}

// TestE2EClient drives the program with the library for Go programs: flights are published by HTTP and by Redis while the
// program and Redis are killed and come back, and all pages together have exactly these flights.
func TestE2EClient(t *testing.T) {
	t.Parallel()
	const each = 10_000
	redis, dir := redistest.Start(t, redistest.WithAOF()), t.TempDir()
	keys := filepath.Join(dir, "keys.json")
	writes := strings.TrimSpace(must(t, "", "key", "new", "airline", "--write", "flights", "--append", "--keys", keys))
	reads := strings.TrimSpace(must(t, "", "key", "new", "partner", "--append", "--keys", keys))
	s := &system{dir: filepath.Join(dir, "run"), api: freeAddr(t), ops: freeAddr(t)}
	run := func() {
		s.process = start(t, "up", "--data-dir", s.dir, "--redis", redis.URL(), "--keys", keys, "--no-sample", "--listen", s.api, "--ops-listen", s.ops)
		s.awaitReady()
	}
	run()
	byHTTP, byRedis := s.publishers(writes, redis.URL())

	var publishing sync.WaitGroup
	half := make(chan struct{}, 2)
	for source, p := range map[string]*client.Publisher{"http": byHTTP, "redis": byRedis} {
		publishing.Go(func() {
			for n := range each {
				if n == each/2 {
					half <- struct{}{}
				}
				if err := p.Publish(t.Context(), flightNumbered(n, source)); err != nil {
					t.Error(err)
					return
				}
			}
			if err := p.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	<-half
	_ = s.cmd.Process.Kill()
	<-s.done
	redis.Kill()
	redis.Restart()
	run()
	publishing.Wait()
	s.wantsFlights(reads, each)
}

// publishers publish flights both ways, and count them as published when the warehouse has them.
func (s *system) publishers(key, redis string) (byHTTP, byRedis *client.Publisher) {
	s.t.Helper()
	cfg := client.PublisherConfig{BatchEvents: 300, Stored: true, Timeout: 5 * time.Second}
	r, err := client.OpenRedis(s.t.Context(), client.RedisConfig{URL: redis})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = r.Close() })
	if byRedis, err = r.Publisher(s.t.Context(), "flights", cfg); err != nil {
		s.t.Fatal(err)
	}
	return s.client(key).Publisher(s.t.Context(), "flights", cfg), byRedis
}

func (s *system) client(key string) *client.Client {
	s.t.Helper()
	c, err := client.New(client.Config{URL: "http://" + s.api, Key: key})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// wantsFlights reads all flights, and what else the library can read.
func (s *system) wantsFlights(key string, each int) {
	s.t.Helper()
	want := map[string]flight{}
	for n := range each {
		for _, source := range []string{"http", "redis"} {
			f := flightNumbered(n, source)
			want[f.EventID] = f
		}
	}
	c := s.client(key)
	for got, err := range client.Rows[flight](s.t.Context(), c, "flights/events", url.Values{"limit": {"3000"}}) {
		if err != nil {
			s.t.Fatal(err)
		}
		if want[got.EventID] != got {
			s.t.Errorf("%+v\nis not, or a second time,\n%+v", got, want[got.EventID])
		}
		delete(want, got.EventID)
	}
	if len(want) > 0 {
		s.t.Errorf("%d flights are missing", len(want))
	}

	page, err := client.Get[flight](s.t.Context(), c, "flights/events", url.Values{"limit": {"5"}})
	if err != nil || len(page.Rows) != 5 || page.Next == "" || time.Since(page.AsOf) > 5*time.Minute {
		s.t.Fatalf("%+v, %v", page, err)
	}
	if same, err := page.Refresh(s.t.Context()); err != nil || same != page {
		s.t.Errorf("refreshed: %+v, %v", same, err)
	}
	_, err = client.Get[flight](s.t.Context(), c, "flights/events", url.Values{"since": {"yesterday"}})
	if problem, ok := errors.AsType[*client.Problem](err); !ok || problem.Status != 400 || problem.Parameter != "since" || cmp.Or(problem.RequestID, problem.Detail) == "" {
		s.t.Error(err)
	}
}
