package chaos_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/chaos"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/ingest"
	"github.com/estela-dev/estela/services/internal/redistest"
	"github.com/estela-dev/estela/services/internal/stream"
)

// TestChaosPostRedisKilled kills a server that logs every write before it answers, and restarts it, while events are
// posted: it comes back under another run ID, as after a failover.
func TestChaosPostRedisKilled(t *testing.T) { //nolint:paralleltest // alone: its producers would take the others' time
	p := setup(t, setting{shards: 2, redis: []redistest.Option{redistest.WithAOF()}})
	w := p.work()
	posts := p.posting()
	random := rand.New(rand.NewPCG(1, 2))
	for turn := range 8 {
		time.Sleep(time.Duration(random.IntN(400)) * time.Millisecond)
		p.redis.Kill()
		time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
		if turn == 0 { // the others may fall between two requests
			eventually(t, "a request meets the fault", func() bool { return posts.refused("stream-unavailable") > 0 })
		}
		p.redis.Restart()
	}
	posts.finish()
	p.drain(w)
	posts.verify("stream-unavailable")
}

// TestChaosPostRedisFull fills the server up while no worker runs: events are refused until one does.
func TestChaosPostRedisFull(t *testing.T) { //nolint:paralleltest // alone: its producers would take the others' time
	p := setup(t, setting{shards: 2, redis: []redistest.Option{redistest.WithMaxMemory(2 << 20)}})
	posts := p.posting(func(s *posts) { s.storedOneIn = 10 })
	for range 2 {
		refused := posts.refused("stream-full")
		eventually(t, "the server is full", func() bool { return posts.refused("stream-full") > refused+10 })
		w := p.work()
		accepted := posts.accepted.Load()
		eventually(t, "events are taken again", func() bool { return posts.accepted.Load() > accepted+20 })
		posts.awaitStored()
		w.stop()
	}
	posts.stop()
	p.drain(p.work())
	posts.verify("stream-full")
}

// TestChaosPostRedisEmptied restarts a server that keeps nothing. What was only accepted is lost with it; what was
// answered as stored is not.
func TestChaosPostRedisEmptied(t *testing.T) { //nolint:paralleltest // alone: its producers would take the others' time
	p := setup(t, setting{shards: 2})
	w := p.work()
	posts := p.posting(func(s *posts) { s.storedOnly = true })
	random := rand.New(rand.NewPCG(3, 4))
	for range 6 {
		time.Sleep(time.Duration(random.IntN(600)) * time.Millisecond)
		p.redis.Restart()
	}
	posts.finish()
	p.drain(w)
	posts.verify("")
}

// TestChaosPostWorkerKilled kills workers at each step of a batch and of its commit while requests wait until their
// events are stored.
func TestChaosPostWorkerKilled(t *testing.T) { //nolint:paralleltest // alone: its producers would take the others' time
	p := setup(t, setting{shards: 2, apart: true, lease: killLease})
	posts := p.posting()
	random := rand.New(rand.NewPCG(5, 6))
	for turn := range len(steps) + len(points) + 1 {
		p.killOne(random, turn)
	}
	p.openStore()
	w := p.work()
	posts.finish()
	p.drain(w)
	posts.verify("")
}

// posts are producers that send requests of events until they are told to stop. Each repeats a request under its
// Idempotency-Key until it is acknowledged; some requests are sent once, whatever becomes of them.
type posts struct {
	p *pipeline
	// storedOnly: a request is repeated until its events are stored.
	storedOnly bool
	// storedOneIn is of how many requests one waits until its events are stored.
	storedOneIn int

	url      string
	client   *http.Client
	quit     chan struct{}
	running  sync.WaitGroup
	accepted atomic.Int64
	// unsure has what nobody knows the fate of.
	unsure *chaos.Model

	mu       sync.Mutex
	problems map[string]int
	stored   map[string]time.Time // when an event was said to be stored, by its key
}

// perRequest is how many events a request has.
const perRequest = 40

// posting starts producers.
func (p *pipeline) posting(change ...func(*posts)) *posts {
	p.t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	s := &posts{
		p: p, url: p.servePosts() + "/v1/chaos/events?on-invalid=reject", client: &http.Client{Transport: transport},
		storedOneIn: 2, quit: make(chan struct{}), unsure: chaos.NewModel(), problems: map[string]int{}, stored: map[string]time.Time{},
	}
	for _, c := range change {
		c(s)
	}
	for i := range 4 {
		s.running.Go(func() { s.produce(fmt.Sprint("post-", i), uint64(i)) })
	}
	p.t.Cleanup(func() { s.stop(); transport.CloseIdleConnections() })
	return s
}

// finish stops the producers once some events were said to be stored.
func (s *posts) finish() {
	s.p.t.Helper()
	s.awaitStored()
	s.stop()
}

func (s *posts) awaitStored() {
	s.p.t.Helper()
	eventually(s.p.t, "events are said to be stored", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.stored) > 0
	})
}

func (s *posts) stop() {
	select {
	case <-s.quit:
	default:
		close(s.quit)
	}
	s.running.Wait()
}

// produce sends requests, one after the other.
func (s *posts) produce(name string, seed uint64) {
	source := chaos.NewSource(name, seed, s.p.model)
	unsure := chaos.NewSource("unsure-"+name, seed, s.unsure)
	unsure.Repeat = 0
	for n := 0; ; n++ {
		select {
		case <-s.quit:
			return
		default:
		}
		if n%5 == 4 {
			body, _ := bodyOf(unsure)
			_, _, _ = s.send(body, fmt.Sprint("unsure-", name, n), false)
			continue
		}
		if !s.acknowledge(source, fmt.Sprint(name, n), s.storedOnly || n%s.storedOneIn == 0) {
			return
		}
	}
}

func bodyOf(source *chaos.Source) (body []byte, keys []string) {
	for range perRequest {
		payload, key := source.Next()
		body, keys = append(append(body, payload...), '\n'), append(keys, key)
	}
	return body, keys
}

// acknowledge sends a request until it is acknowledged, and then once more: that is the same to all. It returns false after
// an answer that can't be.
func (s *posts) acknowledge(source *chaos.Source, key string, stored bool) bool {
	body, keys := bodyOf(source)
	for deadline := time.Now().Add(patience); ; {
		status, first, err := s.send(body, key, stored)
		switch {
		case err != nil || time.Now().After(deadline):
			s.p.t.Errorf("%s: %d %+v, %v", key, status, first, err)
			return false
		case status == http.StatusOK:
			s.note(keys)
		case status == http.StatusAccepted && !s.storedOnly:
		default:
			time.Sleep(10 * time.Millisecond)
			continue
		}
		s.accepted.Add(1)
		if !s.storedOnly { // else the server may have forgotten it
			if status, again, err := s.send(body, key, false); err != nil || status == http.StatusAccepted && again.String() != first.String() {
				s.p.t.Errorf("%s again: %d, %v\n%s\n%s", key, status, err, first, again)
			}
		}
		return true
	}
}

func (s *posts) note(keys []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		s.stored[key] = time.Now()
	}
}

// postAnswer is the answer to a POST, or the problem.
type postAnswer struct {
	Events  int
	Stored  bool
	Streams []struct {
		Shard, Events int
		First, Last   string
	}
	Type string
}

// String is what all answers to the same request have.
func (a postAnswer) String() string { return fmt.Sprint(a.Events, a.Streams) }

// send sends a request. Its error is that the answer is none that a producer may expect.
func (s *posts) send(body []byte, key string, stored bool) (status int, a postAnswer, err error) {
	url := s.url
	if stored {
		url += "&durability=stored"
	}
	req, err := http.NewRequestWithContext(s.p.t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, a, err
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	req.Header.Set("Idempotency-Key", key)
	res, err := s.client.Do(req)
	if err != nil {
		return 0, a, err
	}
	defer res.Body.Close()
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil {
		return res.StatusCode, a, err
	}
	if _, err := io.Copy(io.Discard, res.Body); err != nil {
		return res.StatusCode, a, err
	}
	switch res.StatusCode {
	case http.StatusOK, http.StatusAccepted:
		if a.Events != perRequest || a.Stored != (res.StatusCode == http.StatusOK) {
			err = errors.New("not what was sent")
		}
	case http.StatusServiceUnavailable:
		s.mu.Lock()
		s.problems[a.Type]++
		s.mu.Unlock()
	default:
		err = errors.New("not an answer to expect")
	}
	return res.StatusCode, a, err
}

// refused is how many requests were refused with the problem.
func (s *posts) refused(problem string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.problems["/docs/problems/"+problem]
}

// verify compares what is stored with what was acknowledged: each of it once, and what is unsure at most once. Events that
// were said to be stored were, at that time. Some requests were refused with the problem, unless it is "".
func (s *posts) verify(problem string) {
	s.p.t.Helper()
	got := s.p.stored()
	s.unsure.Discount(got)
	if err := s.p.model.Check(got, s.storedOnly); err != nil {
		s.p.t.Error(err)
	}
	want(s.p.t, "entries said to be lost, though all is there", s.p.counts.lost.Load(), 0)
	if problem != "" && s.refused(problem) == 0 {
		s.p.t.Errorf("no request met the fault: %v", s.problems)
	}
	said, late := 0, 0
	s.p.query("SELECT id, _ingested_at FROM chaos", func(rows *sql.Rows) error {
		var id string
		var at time.Time
		err := rows.Scan(&id, &at)
		if answered, ok := s.stored[id]; ok {
			said++
			if at.After(answered) {
				late++
			}
		}
		return err
	})
	if said == 0 || late > 0 {
		s.p.t.Errorf("%d events were said to be stored, %d of them before they were", said, late)
	}
	s.p.t.Logf("%d requests, refusals %v, %d events said to be stored", s.accepted.Load(), s.problems, said)
}

// servePosts serves POST over the pipeline's server.
func (p *pipeline) servePosts() (url string) {
	p.t.Helper()
	client := p.connect(p.redis.URL())
	to := struct {
		*stream.Appender
		*stream.StoredWatcher
	}{client.Appender(), client.StoredWatcher()}
	log := slog.New(slog.DiscardHandler)
	posts, err := ingest.New(p.t.Context(), ingest.Config{
		Contracts: []*contract.Contract{p.contract}, Publisher: to, Observer: unobserved{}, Logger: log, StoredTimeout: time.Second,
	})
	must(p.t, err)
	server, err := api.New(p.t.Context(), api.Config{Datasets: []endpoint.Dataset{{Name: p.contract.Name}}, Logger: log, Ingest: posts})
	must(p.t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(p.t, err)
	ctx, cancel := context.WithCancel(p.t.Context())
	var running sync.WaitGroup
	running.Go(func() { to.Run(ctx) })
	served := make(chan error, 1)
	go func() { served <- server.Serve(l) }()
	p.t.Cleanup(func() {
		ctx, done := context.WithTimeout(context.WithoutCancel(p.t.Context()), patience)
		defer done()
		if err := errors.Join(server.Shutdown(ctx), <-served); err != nil {
			p.t.Error(err)
		}
		cancel()
		running.Wait()
		to.Close()
	})
	return "http://" + l.Addr().String()
}

// unobserved is an observer of posts that looks away.
type unobserved struct{}

func (unobserved) Posted(string, int, string)                      {}
func (unobserved) Accepted(string, int, int, int64, time.Duration) {}
