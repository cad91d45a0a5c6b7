package ingest_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/redistest"
)

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	for _, shards := range []int{1, 3} {
		s := setup(t, things(t, shards))
		a, b := thing("a", "x"), thing("b", "even")
		first := s.post(t, "", ndjson, []byte(a+"\n"+b), "Idempotency-Key", `"key 1"`)
		first.wants(t, "the first", http.StatusAccepted, "")
		for what, again := range map[string]*reply{
			"the same":              s.post(t, "", ndjson, []byte(a+"\n"+b), "Idempotency-Key", `"key 1"`),
			"as an array":           s.post(t, "", "application/json", []byte("["+a+","+b+"]"), "Idempotency-Key", `"key 1"`),
			"compressed":            s.post(t, "", ndjson, gzipped(t, []byte(a+"\n"+b+"\n")), "Idempotency-Key", `"key 1"`, "Content-Encoding", "gzip"),
			"with another handling": s.post(t, "?on-invalid=reject", ndjson, []byte(a+"\n"+b), "Idempotency-Key", `"key 1"`),
		} {
			if again.status != first.status || again.text != first.text {
				t.Errorf("%d shards, %s: %d %s, want %s", shards, what, again.status, again.text, first.text)
			}
		}
		for what, other := range map[string]string{"fewer": a, "in another order": b + "\n" + a, "more": a + "\n" + b + "\n" + thing("c", "z"), "others": thing("c", "z")} {
			r := s.post(t, "", ndjson, []byte(other), "Idempotency-Key", `"key 1"`)
			if r.status != http.StatusUnprocessableEntity || r.kind() != "idempotency-key-reused" {
				t.Errorf("%d shards, %s: %d %s", shards, what, r.status, r.text)
			}
		}
		if n := len(s.events(t)); n != 2 {
			t.Errorf("%d shards: %d events are published", shards, n)
		}
		s.post(t, "", ndjson, []byte(a+"\n"+b), "Idempotency-Key", "key2").wants(t, "another key", http.StatusAccepted, "")
		if n := len(s.events(t)); n != 4 {
			t.Errorf("%d shards: %d events are published", shards, n)
		}
		keys, _ := s.redis.Do("KEYS", "*:request:*").([]any)
		for _, key := range keys {
			if ttl, _ := s.redis.Do("TTL", key).(int64); ttl < 86_000 || ttl > 86_400 {
				t.Errorf("%v lives for %d s", key, ttl)
			}
		}
		if len(keys) < 2 {
			t.Errorf("records: %v", keys)
		}
	}
}

// A refused request leaves its key free: corrected, it is sent under the same.
func TestIdempotencyKeyOfARefusedRequest(t *testing.T) {
	t.Parallel()
	s := setup(t, things(t, 3))
	s.post(t, "", ndjson, []byte(thing("a", "x")+"\n{}"), "Idempotency-Key", "k").wants(t, "invalid", 422, "invalid-events")
	s.post(t, "", ndjson, []byte(thing("a", "x")), "Idempotency-Key", "k").wants(t, "corrected", http.StatusAccepted, "")
	for _, key := range []string{"", `"`, `"a`, `a"b`, "a b", `"é"`, strings.Repeat("k", 256), `"a", "b"`} {
		s.post(t, "", ndjson, []byte(thing("a", "x")), "Idempotency-Key", key).wants(t, key, 400, "bad-request")
	}
	s.post(t, "", ndjson, []byte(thing("a", "x")), "Idempotency-Key", "k", "Idempotency-Key", "k").wants(t, "two", 400, "bad-request")
}

// Repetitions at the same time are one.
func TestIdempotencyKeyAtOnce(t *testing.T) {
	t.Parallel()
	s := setup(t, things(t, 3))
	var body strings.Builder
	for i := range 500 {
		fmt.Fprintln(&body, thing(strconv.Itoa(i), "p"+strconv.Itoa(i%5)))
	}
	var wg sync.WaitGroup
	answers := make([]string, 8)
	for i := range answers {
		wg.Go(func() {
			r, err := s.send(t.Context(), "", ndjson, strings.NewReader(body.String()), "Idempotency-Key", "k")
			if err == nil {
				answers[i] = fmt.Sprint(r.status, r.text)
			}
		})
	}
	wg.Wait()
	for _, answer := range answers {
		if answer != answers[0] || !strings.HasPrefix(answer, "202") {
			t.Errorf("%s\n%s", answers[0], answer)
		}
	}
	if n := len(s.events(t)); n != 500 {
		t.Errorf("%d events are published", n)
	}
	inOrder(t, s)
}

// The events of a partition are in the order in which a connection sent them, also if it doesn't wait for
// answers.
func TestOrder(t *testing.T) {
	t.Parallel()
	s := setup(t, things(t, 3))
	var wg sync.WaitGroup
	const conns, requests, events = 8, 20, 30
	for c := range conns {
		wg.Go(func() {
			conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			for r := range requests {
				var body strings.Builder
				for i := range events {
					fmt.Fprintln(&body, thing(strconv.Itoa(r*events+i), fmt.Sprintf("p%d-%d", c, i%3)))
				}
				_, _ = fmt.Fprintf(conn, "POST /v1/things/events HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", ndjson, body.Len(), body.String())
			}
			answers := bufio.NewReader(conn)
			_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
			for range requests {
				res, err := http.ReadResponse(answers, nil)
				if err != nil || res.StatusCode != http.StatusAccepted {
					t.Errorf("%v %+v", err, res)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		})
	}
	wg.Wait()
	inOrder(t, s)
	if n := len(s.events(t)); n != conns*requests*events {
		t.Errorf("%d events", n)
	}
}

// A Redis that is full, gone or paused: 503, and what was acknowledged is there.
func TestRedisFullAndGone(t *testing.T) {
	t.Parallel()
	s := over(t, redistest.Start(t, redistest.WithAOF()), things(t, 3))
	body := func(i int) []byte {
		return []byte(thing(strconv.Itoa(2*i), "x") + "\n" + thing(strconv.Itoa(2*i+1), "even"))
	}
	acknowledged := 0
	take := func(what string) {
		r := s.post(t, "", ndjson, body(acknowledged), "Idempotency-Key", strconv.Itoa(acknowledged))
		r.wants(t, what, http.StatusAccepted, "")
		acknowledged++
	}
	take("at first")
	s.redis.Do("CONFIG", "SET", "maxmemory", "1")
	for _, headers := range [][]string{nil, {"Idempotency-Key", strconv.Itoa(acknowledged)}} {
		r := s.post(t, "", ndjson, body(acknowledged), headers...)
		r.wants(t, "full", http.StatusServiceUnavailable, "stream-full")
		if r.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	s.redis.Do("CONFIG", "SET", "maxmemory", "0")
	take("with room again")
	s.redis.Kill()
	for _, headers := range [][]string{nil, {"Idempotency-Key", strconv.Itoa(acknowledged)}} {
		r := s.post(t, "", ndjson, body(acknowledged), headers...)
		r.wants(t, "gone", http.StatusServiceUnavailable, "stream-unavailable")
		if r.header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	s.redis.Restart()
	eventually(t, "there again", func() bool {
		return s.post(t, "", ndjson, body(acknowledged), "Idempotency-Key", strconv.Itoa(acknowledged)).status == http.StatusAccepted
	})
	acknowledged++
	if n := len(s.events(t)); n != 2*acknowledged {
		t.Errorf("%d events are there, %d were acknowledged", n, 2*acknowledged)
	}
	// A key of another type: the request fails, and says nothing of what Redis said.
	for shard := range 3 {
		s.redis.Do("SET", fmt.Sprintf("estela:{things:%d}", shard), "x")
	}
	r := s.post(t, "", ndjson, []byte(thing("a", "p0")+"\n"+thing("b", "p1")+"\n"+thing("c", "p2")))
	r.wants(t, "a wrong key", http.StatusServiceUnavailable, "stream-unavailable")
	if strings.Contains(r.text, "WRONGTYPE") || !strings.Contains(s.log.String(), "WRONGTYPE") {
		t.Errorf("%s\n%s", r.text, s.log)
	}
}

// The traceparent of a request, if it is sampled, goes with its first entry to the worker.
func TestTraces(t *testing.T) {
	t.Parallel()
	const sampled, not = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
	body := []byte("[" + thing("a", "x") + ",\n1\n2]") // two entries
	for _, key := range [][]string{nil, {"Idempotency-Key", "k"}} {
		s := setup(t, things(t, 1))
		s.post(t, "?on-invalid=reject", "application/json", body, append(key, "Traceparent", sampled)...).wants(t, "sampled", http.StatusAccepted, "")
		s.post(t, "", ndjson, []byte(thing("b", "x")), "Traceparent", not).wants(t, "not sampled", http.StatusAccepted, "")
		s.post(t, "", ndjson, []byte(thing("c", "x")), "Traceparent", sampled+"x").wants(t, "none", http.StatusAccepted, "")
		s.post(t, "", ndjson, []byte(thing("d", "x")), "Traceparent", sampled).wants(t, "of one", http.StatusAccepted, "")
		var traced []string
		entries, _ := s.redis.Do("XRANGE", "estela:{things:0}", "-", "+").([]any)
		for i, e := range entries {
			if fields := e.([]any)[1].([]any); len(fields) > 2 {
				traced = append(traced, fmt.Sprint(i, " ", fields[2], " ", fields[3]))
			}
		}
		equal(t, fmt.Sprint("traces, ", key), traced, []string{"0 traceparent " + sampled, "4 traceparent " + sampled})
	}
}
