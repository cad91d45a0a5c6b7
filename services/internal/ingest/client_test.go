package ingest_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/ingest"
)

// curl, in the ways in which people call it.
func TestCurl(t *testing.T) {
	t.Parallel()
	s := setup(t, things(t, 1))
	line := thing("a", "x") + "\n"
	large := strings.Repeat(line, 100_000) // 2.4 MB: curl asks before it sends so much
	for name, c := range map[string]struct {
		stdin  string
		args   []string
		status string
		events int
	}{
		"an event":      {"", []string{"-H", "Content-Type: application/json", "-d", thing("a", "x")}, "202", 1},
		"a file":        {line + line, []string{"-H", "Content-Type: application/x-ndjson", "--data-binary", "@-"}, "202", 2},
		"a large file":  {large, []string{"-H", "Content-Type: application/x-ndjson", "-H", "Expect: 100-continue", "--data-binary", "@-"}, "202", 100_000},
		"gzip":          {string(gzipped(t, []byte(large))), []string{"-H", "Content-Type: application/x-ndjson", "-H", "Content-Encoding: gzip", "--data-binary", "@-"}, "202", 100_000},
		"a pipe":        {large, []string{"-X", "POST", "-H", "Content-Type: application/x-ndjson", "-T", "-"}, "202", 100_000},
		"HTTP/1.0":      {line, []string{"-0", "-H", "Content-Type: application/x-ndjson", "--data-binary", "@-"}, "202", 1},
		"-d alone":      {"", []string{"-d", thing("a", "x")}, "415", 0}, // says that it is a form
		"-d of lines":   {line + line, []string{"-H", "Content-Type: application/x-ndjson", "-d", "@-"}, "422", 0},
		"a binary form": {line, []string{"-F", "file=@-"}, "415", 0},
	} {
		s.redis.Do("FLUSHALL")
		cmd := exec.CommandContext(t.Context(), "curl", append(c.args, "-sS", "-m", "60", "-o", "-", "-w", " %{http_code}", s.url+"/v1/things/events")...)
		cmd.Stdin = strings.NewReader(c.stdin)
		out, err := cmd.CombinedOutput()
		if err != nil || !bytes.HasSuffix(out, []byte(" "+c.status)) {
			t.Errorf("%s: %v, %s", name, err, out)
		}
		if rows, rejects := s.decoded(t); rows != c.events || rejects > 0 {
			t.Errorf("%s: %d rows, %d rejects, want %d\n%s", name, rows, rejects, c.events, out)
		}
	}
}

// What the http sink of Vector sends with the encoding json: NDJSON in gzip, or an array; and the same again until it is
// taken. https://vector.dev/docs/reference/configuration/sinks/http
func TestVector(t *testing.T) {
	t.Parallel()
	s := setup(t, things(t, 1))
	a, b := thing("a", "x"), thing("b", "x")
	headers := []string{"User-Agent", "Vector/0.50.0 (x86_64-unknown-linux-gnu)", "Accept-Encoding", "identity"}
	s.redis.Do("CONFIG", "SET", "maxmemory", "1")
	send := func() *reply {
		return s.post(t, "", ndjson, gzipped(t, []byte(a+"\n"+b+"\n")), append(headers, "Content-Encoding", "gzip")...)
	}
	send().wants(t, "while Redis is full", http.StatusServiceUnavailable, "stream-full")
	s.redis.Do("CONFIG", "SET", "maxmemory", "0")
	send().wants(t, "lines", http.StatusAccepted, "")
	s.post(t, "", "application/json", []byte("["+a+","+b+"]"), headers...).wants(t, "an array", http.StatusAccepted, "")
	s.post(t, "", "application/json", gzipped(t, []byte("["+a+","+b+"]")), append(headers, "Content-Encoding", "gzip")...).wants(t, "an array in gzip", http.StatusAccepted, "")
	equal(t, "published", s.events(t), []string{a, b, a, b, a, b})
}

// Load that arrives at a constant rate, whatever the server makes of it, as k6 sends it: each request is answered, and what
// was accepted is there. More than the server takes on is refused, and says when to come again.
func TestConstantArrival(t *testing.T) {
	t.Parallel()
	const requests, rate, events = 1000, 500, 20
	for _, inFlight := range []int{0, 4} { // the default, and less than is needed
		s := setup(t, things(t, 3), limits(func(cfg *ingest.Config) { cfg.MaxInFlight = inFlight }))
		var body strings.Builder
		for i := range events {
			fmt.Fprintln(&body, thing(fmt.Sprint(i), fmt.Sprint("p", i)))
		}
		transport := &http.Transport{MaxIdleConnsPerHost: 64}
		client := &http.Client{Transport: transport, Timeout: time.Minute}
		var accepted, refused atomic.Int64
		var wg sync.WaitGroup
		tick := time.NewTicker(time.Second / rate)
		for range requests {
			<-tick.C
			wg.Go(func() {
				req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost, s.url+"/v1/things/events", strings.NewReader(body.String()))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Content-Type", ndjson)
				res, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				defer res.Body.Close()
				_, _ = io.Copy(io.Discard, res.Body)
				switch {
				case res.StatusCode == http.StatusAccepted:
					accepted.Add(1)
				case inFlight > 0 && res.StatusCode == http.StatusTooManyRequests && res.Header.Get("Retry-After") != "":
					refused.Add(1)
				default:
					t.Errorf("%s", res.Status)
				}
			})
		}
		tick.Stop()
		wg.Wait()
		transport.CloseIdleConnections()
		if n := len(s.events(t)); int64(n) != events*accepted.Load() || accepted.Load() == 0 {
			t.Errorf("%d events are published, %d requests accepted, %d refused", n, accepted.Load(), refused.Load())
		}
	}
}
