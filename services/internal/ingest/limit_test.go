package ingest_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/ingest"
)

func limits(set func(*ingest.Config)) setting {
	return func(cfg *ingest.Config, _ *api.Config) { set(cfg) }
}

func TestSizes(t *testing.T) {
	t.Parallel()
	s := setup(t, things(t, 1), limits(func(cfg *ingest.Config) {
		cfg.MaxBody, cfg.MaxDecoded, cfg.MaxEvents, cfg.MaxLine = 4000, 20_000, 100, 1000
	}))
	line := thing("a", "x") + "\n" // 24 bytes
	long := func(n int) string {
		return fmt.Sprintf(`{"id":"a","p":"x","text":"%s"}`, strings.Repeat("t", n-len(`{"id":"a","p":"x","text":""}`)))
	}
	for name, c := range map[string]struct {
		contentType, body, coding string
		status                    int
	}{
		"a body as large as may be":   {ndjson, strings.Repeat(long(999)+"\n", 4), "", 202},
		"a byte more":                 {ndjson, strings.Repeat(long(999)+"\n", 4) + " ", "", 413},
		"decoded, as large as may be": {ndjson, strings.Repeat(long(999)+"\n", 20), "gzip", 202},
		"decoded, a byte more":        {ndjson, strings.Repeat(long(999)+"\n", 20) + "\n", "gzip", 413},
		"as many as may be":           {ndjson, strings.Repeat(line, 100), "", 202},
		"one more":                    {ndjson, strings.Repeat(line, 101), "", 413},
		"blank lines":                 {ndjson, strings.Repeat("\n", 100) + line, "", 413},
		"an event as long as may be":  {"application/json", long(1000), "", 202},
		"a byte longer":               {"application/json", long(1001), "", 413},
		"a longer line":               {ndjson, line + long(1001) + "\n", "", 413},
		"a longer element":            {"application/json", "[" + long(1001) + "]", "", 413},
		"a line without end":          {ndjson, strings.Repeat(" ", 2000), "", 413},
	} {
		body := []byte(c.body)
		if c.coding == "gzip" {
			body = gzipped(t, body)
		}
		s.redis.Do("DEL", "estela:{things:0}")
		r := s.post(t, "", c.contentType, body, "Content-Encoding", c.coding)
		if r.status != c.status || r.status == 413 && (r.kind() != "request-too-large" || !strings.Contains(r.Detail, "more than")) {
			t.Errorf("%s: %d %s", name, r.status, r.text)
		}
		if n := len(s.events(t)); (n > 0) != (c.status == 202) {
			t.Errorf("%s: %d events are published", name, n)
		}
	}
	// In chunks, whose sum nobody announces.
	r, err := s.send(t.Context(), "", ndjson, io.MultiReader(strings.NewReader(strings.Repeat(line, 200))))
	if err != nil || r.status != 413 {
		t.Errorf("chunks: %v %+v", err, r)
	}
}

// A few kilobytes become gigabytes: the reading ends at the limit.
func TestBombs(t *testing.T) {
	t.Parallel()
	s := setup(t, things(t, 1), limits(func(cfg *ingest.Config) { cfg.MaxDecoded = 8 << 20 }))
	var gz, zs bytes.Buffer
	g := gzip.NewWriter(&gz)
	z, err := zstd.NewWriter(&zs)
	if err != nil {
		t.Fatal(err)
	}
	zeros := bytes.Repeat([]byte{'\n'}, 1<<20)
	for range 256 {
		_, _ = g.Write(zeros)
		_, _ = z.Write(zeros)
	}
	if err := g.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for coding, body := range map[string][]byte{"gzip": gz.Bytes(), "zstd": zs.Bytes()} {
		s.post(t, "", ndjson, body, "Content-Encoding", coding).wants(t, coding, 413, "request-too-large")
	}
	// A window that would take more memory than a body may.
	wide, err := zstd.NewWriter(nil, zstd.WithWindowSize(64<<20), zstd.WithSingleSegment(false))
	if err != nil {
		t.Fatal(err)
	}
	defer wide.Close()
	var frame bytes.Buffer
	wide.Reset(&frame)
	for i := range 70 {
		_, _ = wide.Write(bytes.Repeat([]byte{byte('a' + i%20)}, 1<<20))
	}
	if err := wide.Close(); err != nil {
		t.Fatal(err)
	}
	s.post(t, "", ndjson, frame.Bytes(), "Content-Encoding", "zstd").wants(t, "a window of 64 MiB", 400, "invalid-body")
}

// What a large request has waits on disk, and goes with it: memory is bounded by the batch.
func TestLargeBodies(t *testing.T) {
	directory := t.TempDir()
	t.Setenv("TMPDIR", directory)
	s := setup(t, things(t, 3))
	var body strings.Builder
	const n = 60_000
	for i := range n {
		fmt.Fprintf(&body, "{\"id\":\"%d\",\"p\":\"p%d\",\"text\":\"%s\"}\n", i, i%7, strings.Repeat("t", 60))
	}
	r := s.post(t, "", ndjson, gzipped(t, []byte(body.String())), "Content-Encoding", "gzip")
	r.wants(t, "large", http.StatusAccepted, "")
	if rows, rejects := s.decoded(t); rows != n || rejects != 0 || r.Events != n || len(r.Streams) != 3 {
		t.Errorf("%d rows, %d rejects, %s", rows, rejects, r.text)
	}
	inOrder(t, s)
	left, err := os.ReadDir(directory)
	if err != nil || len(left) > 0 {
		t.Errorf("left on disk: %v, %v", left, err)
	}
}

// Where there is no room for it, a large request is refused and a small one taken.
func TestLargeBodiesShareTheDisk(t *testing.T) {
	t.Parallel()
	s := setup(t, things(t, 1), limits(func(cfg *ingest.Config) { cfg.SpoolBytes = 4 << 20 }))
	line := fmt.Sprintf("{\"id\":\"a\",\"p\":\"x\",\"text\":\"%s\"}\n", strings.Repeat("t", 1000))
	s.post(t, "", ndjson, []byte(strings.Repeat(line, 3000))).wants(t, "more than half of it", 413, "request-too-large")
	s.post(t, "", ndjson, []byte(strings.Repeat(line, 1800))).wants(t, "less", http.StatusAccepted, "")
	if n := len(s.events(t)); n != 1800 {
		t.Errorf("%d events", n)
	}
}

// inOrder checks that the events of each partition, which are numbered, are in their order.
func inOrder(t *testing.T, s *site) {
	t.Helper()
	last := map[string]int{}
	for shard, lines := range s.published(t) {
		for _, line := range lines {
			id, partition := field(line, "id"), field(line, "p")
			n, err := strconv.Atoi(id)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			if before, known := last[partition]; known && n <= before {
				t.Fatalf("shard %d: %s comes after %d", shard, line, before)
			}
			last[partition] = n
		}
	}
}

func field(line, name string) string {
	_, rest, _ := strings.Cut(line, `"`+name+`":"`)
	value, _, _ := strings.Cut(rest, `"`)
	return value
}

func TestRates(t *testing.T) {
	t.Parallel()
	s := setup(t, things(t, 1), limits(func(cfg *ingest.Config) { cfg.Rate = 2 }))
	refused := 0
	for range 10 {
		if r := s.post(t, "", ndjson, []byte(thing("a", "x"))); r.status == http.StatusTooManyRequests {
			refused++
			if r.kind() != "ingest-rate-limited" || r.header.Get("Retry-After") != "1" || !strings.Contains(r.Detail, "2 requests") {
				t.Errorf("%v %s", r.header, r.text)
			}
		}
	}
	if refused == 0 || len(s.events(t)) != 10-refused {
		t.Errorf("%d of 10 refused, %d published", refused, len(s.events(t)))
	}
	// Bytes count without their compression, and one body may be larger than a second's.
	s = setup(t, things(t, 1), limits(func(cfg *ingest.Config) { cfg.Bytes = 1000 }))
	body := gzipped(t, []byte(strings.Repeat(thing("a", "x")+"\n", 1000))) // 24,000 bytes
	s.post(t, "", ndjson, body, "Content-Encoding", "gzip").wants(t, "the first", http.StatusAccepted, "")
	r := s.post(t, "", ndjson, []byte(thing("a", "x")))
	r.wants(t, "the second", http.StatusTooManyRequests, "ingest-rate-limited")
	if wait, err := strconv.Atoi(r.header.Get("Retry-After")); err != nil || wait < 10 || wait > 30 {
		t.Errorf("Retry-After: %q", r.header.Get("Retry-After"))
	}
}

// beginning opens a connection and sends the beginning of a request of so many bytes.
func (s *site) beginning(t *testing.T, length int) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := fmt.Fprintf(conn, "POST /v1/things/events HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n{", ndjson, length); err != nil {
		t.Fatal(err)
	}
	return conn
}

func answerOf(t *testing.T, conn net.Conn) (status int, text string) {
	t.Helper()
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestInFlight(t *testing.T) {
	t.Parallel()
	s := setup(t, things(t, 1), limits(func(cfg *ingest.Config) { cfg.MaxInFlight = 4 }))
	slow := []net.Conn{s.beginning(t, 100), s.beginning(t, 100)}
	// A post before that could take the place of a slow one, which would be refused then.
	eventually(t, "they are counted", func() bool { inFlight, _ := s.server.Load(); return inFlight == 2 })
	eventually(t, "the client has all that it may", func() bool {
		r := s.post(t, "", ndjson, []byte(thing("a", "x")))
		return r.status == http.StatusTooManyRequests && r.kind() == "ingest-rate-limited" && r.header.Get("Retry-After") != ""
	})
	for _, conn := range slow {
		conn.Close()
	}
	eventually(t, "room again", func() bool {
		return s.post(t, "", ndjson, []byte(thing("a", "x"))).status == http.StatusAccepted
	})
	// With one for all, the next one of anybody is refused.
	s = setup(t, things(t, 1), limits(func(cfg *ingest.Config) { cfg.MaxInFlight = 1 }))
	s.beginning(t, 100)
	eventually(t, "it is counted", func() bool { inFlight, waits := s.server.Load(); return inFlight == 1 && waits == 0 })
	eventually(t, "the server has all that it takes", func() bool {
		r := s.post(t, "", ndjson, []byte(thing("a", "x")))
		return r.status == http.StatusServiceUnavailable && r.kind() == "ingest-overloaded" && r.header.Get("Retry-After") == "1"
	})
}

// Whoever sends slowly, or not to the end, publishes nothing and holds nothing.
func TestSlowSenders(t *testing.T) {
	t.Parallel()
	s := setup(t, things(t, 1), limits(func(cfg *ingest.Config) { cfg.BodyTimeout = 500 * time.Millisecond }))
	line := thing("a", "x") + "\n"
	conn := s.beginning(t, 1+2*len(line))
	_, _ = io.WriteString(conn, line[1:]) // a whole event, and then nothing
	if status, text := answerOf(t, conn); status != http.StatusRequestTimeout || !strings.Contains(text, "body-too-slow") {
		t.Errorf("%d %s", status, text)
	}
	// A drop at a time, each in time.
	conn = s.beginning(t, 1000)
	ended := make(chan struct{})
	var dropping sync.WaitGroup
	dropping.Go(func() {
		for {
			select {
			case <-ended:
				return
			case <-time.After(20 * time.Millisecond):
				_, _ = io.WriteString(conn, "\n")
			}
		}
	})
	status, text := answerOf(t, conn)
	close(ended)
	dropping.Wait()
	if status != http.StatusRequestTimeout {
		t.Errorf("a drop at a time: %d %s", status, text)
	}
	// The sender leaves after a whole line.
	conn = s.beginning(t, 1+2*len(line))
	_, _ = io.WriteString(conn, line[1:])
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if status, text := answerOf(t, conn); status != http.StatusBadRequest || !strings.Contains(text, "ends too early") {
		t.Errorf("left: %d %s", status, text)
	}
	if got := s.events(t); len(got) > 0 {
		t.Errorf("published: %q", got)
	}
}

// Those who wait cost no more than their connections, and one look at Redis for all.
func TestWaitingIsCheap(t *testing.T) {
	t.Parallel()
	const waiting = 200
	s := setup(t, things(t, 1), limits(func(cfg *ingest.Config) { cfg.MaxInFlight, cfg.MaxWaiting = 8, waiting }))
	conns := make([]net.Conn, waiting)
	line := thing("a", "x")
	for i := range conns {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conns[i] = conn
		if _, err := fmt.Fprintf(conn, "POST /v1/things/events?durability=stored HTTP/1.1\r\nHost: a\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s", ndjson, len(line), line); err != nil {
			t.Fatal(err)
		}
		eventually(t, "published", func() bool { return s.redis.Do("XLEN", "estela:{things:0}").(int64) == int64(i+1) })
	}
	eventually(t, "all of them only wait", func() bool { inFlight, waits := s.server.Load(); return inFlight == 0 && waits == waiting })
	s.post(t, "?durability=stored", ndjson, []byte(line)).wants(t, "one more", http.StatusServiceUnavailable, "ingest-overloaded")
	s.post(t, "", ndjson, []byte(line)).wants(t, "who doesn't wait", http.StatusAccepted, "")
	s.store(t, 0)
	for _, conn := range conns {
		if status, text := answerOf(t, conn); status != http.StatusOK || !strings.Contains(text, `"stored":true`) {
			t.Fatalf("%d %s", status, text)
		}
	}
}

// store reports that all of the shard's stream is stored, as its worker would.
func (s *site) store(t *testing.T, shard int) (position string) {
	t.Helper()
	key := "estela:{things:" + strconv.Itoa(shard) + "}"
	newest, _ := s.redis.Do("XREVRANGE", key, "+", "-", "COUNT", 1).([]any)
	position = newest[0].([]any)[0].(string)
	s.redis.Do("HSET", key+":stored", "last", position)
	return position
}

func TestDurabilityStored(t *testing.T) {
	t.Parallel()
	s := setup(t, things(t, 2), limits(func(cfg *ingest.Config) { cfg.StoredTimeout = 300 * time.Millisecond }))
	body := []byte(thing("a", "x") + "\n" + thing("b", "even") + "\n" + thing("c", "z"))
	if event.Shard("x", 2) == event.Shard("even", 2) {
		t.Fatal("the events are in one shard")
	}
	r := s.post(t, "?durability=stored", ndjson, body)
	r.wants(t, "nobody stores", http.StatusAccepted, "")
	if r.Stored || len(r.Streams) != 2 || len(s.events(t)) != 3 {
		t.Errorf("%s", r.text)
	}
	if took := s.observer.took; took <= 0 || took >= 300*time.Millisecond {
		t.Errorf("the time until the streams have the events is %s, with the wait", took)
	}
	// A repetition publishes nothing, so that what is stored is all of it.
	s.post(t, "", ndjson, body, "Idempotency-Key", "k").wants(t, "accepted", http.StatusAccepted, "")
	positions := []string{s.store(t, 0), s.store(t, 1)}
	r = s.post(t, "?durability=stored", ndjson, body, "Idempotency-Key", "k")
	r.wants(t, "stored", http.StatusOK, "")
	for _, one := range r.Streams {
		if one.Position != positions[one.Shard] {
			t.Errorf("shard %d is stored up to %s, want %s", one.Shard, one.Position, positions[one.Shard])
		}
	}
	if !r.Stored || len(r.Streams) != 2 {
		t.Errorf("%s", r.text)
	}
}

// Who leaves waits no longer: there is room for the next one.
func TestWaitingEndsWithTheClient(t *testing.T) {
	t.Parallel()
	s := setup(t, things(t, 1), limits(func(cfg *ingest.Config) { cfg.MaxWaiting, cfg.StoredTimeout = 1, time.Hour }))
	ctx, leave := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := s.send(ctx, "?durability=stored", ndjson, strings.NewReader(thing("a", "x")))
		left <- err
	}()
	eventually(t, "it waits", func() bool { return len(s.events(t)) == 1 })
	s.post(t, "?durability=stored", ndjson, []byte(thing("b", "x"))).wants(t, "one more", http.StatusServiceUnavailable, "ingest-overloaded")
	leave()
	if err := <-left; err == nil {
		t.Error("it got an answer")
	}
	eventually(t, "room again", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		r, err := s.send(ctx, "?durability=stored", ndjson, strings.NewReader(thing("c", "x")))
		return err != nil || r.status != http.StatusServiceUnavailable
	})
}
