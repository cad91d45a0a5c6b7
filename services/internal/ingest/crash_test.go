package ingest_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/ingest"
	"github.com/estela-dev/estela/services/internal/redistest"
	"github.com/estela-dev/estela/services/internal/stream"
)

// crashVariable makes the test's own program a server that kills itself: "URL SHARDS STEP", with -1 for a server that
// lives on.
const crashVariable = "ESTELA_TEST_CRASH"

// crashing kills its process with SIGKILL at a step: before or after one of the publisher's calls.
type crashing struct {
	publisher
	step atomic.Int64 // steps that are left
}

func (c *crashing) pass() {
	if c.step.Add(-1) == -1 {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {}
	}
}

func (c *crashing) Append(k *contract.Contract, additions []event.Addition) error {
	c.pass()
	defer c.pass()
	return c.publisher.Append(k, additions)
}

// serveAndCrash is the program of a child.
func serveAndCrash() {
	if err := runChild(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runChild() error {
	var url string
	var shards, step int
	if _, err := fmt.Sscan(os.Getenv(crashVariable), &url, &shards, &step); err != nil {
		return err
	}
	ctx := context.Background()
	client, err := stream.Open(ctx, stream.Config{URL: url})
	if err != nil {
		return err
	}
	k, err := contract.Parse("things", "contract.json", []byte(os.Getenv(crashVariable+"_CONTRACT")))
	if err != nil {
		return err
	}
	to := &crashing{publisher: publisher{client.Appender(), client.StoredWatcher()}}
	to.step.Store(int64(step))
	if step < 0 {
		to.step.Store(1 << 40)
	}
	log := slog.New(slog.DiscardHandler)
	posts, err := ingest.New(ctx, ingest.Config{Contracts: []*contract.Contract{k}, Publisher: to, Observer: &observer{posted: map[string]int{}}, Logger: log})
	if err != nil {
		return err
	}
	server, err := api.New(ctx, api.Config{Datasets: []endpoint.Dataset{{Name: k.Name}}, Logger: log, Ingest: posts})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + l.Addr().String())
	return server.Serve(l)
}

// child is a server in a process of its own.
type child struct {
	*site
	cmd *exec.Cmd
}

// startChild starts one that crashes at the step.
func startChild(t *testing.T, redis *redistest.Server, k *contract.Contract, step int) *child {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), crashVariable+"="+fmt.Sprint(redis.URL(), " ", k.Shards, " ", step), crashVariable+"_CONTRACT="+string(k.Schema))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	c := &child{&site{url: strings.TrimSpace(url), redis: redis, contract: k}, cmd}
	t.Cleanup(c.stop)
	return c
}

func (c *child) stop() {
	_ = c.cmd.Process.Kill()
	_ = c.cmd.Wait() // a killed one ends with an error
}

// crashes are requests whose publication takes several steps.
var crashes = map[string]struct{ shards, events, size int }{
	"a small one":                {1, 50, 20},
	"of several shards":          {3, 50, 20},
	"of several windows":         {1, 3000, 1000},
	"of shards and windows":      {3, 3000, 1000},
	"one event, of another home": {7, 1, 20},
}

// kill -9 at each step of a request with an Idempotency-Key: its repetition publishes what is left, once, and every
// one gets the same answer.
func TestCrashAtEachStep(t *testing.T) {
	t.Parallel()
	for name, c := range crashes {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			redis := redistest.Start(t)
			k := things(t, c.shards)
			lives := startChild(t, redis, k, -1)
			var body strings.Builder
			var want []string
			for i := range c.events {
				want = append(want, fmt.Sprintf(`{"id":"%d","p":"p%d","text":"%s"}`, i, i%5, strings.Repeat("t", c.size)))
				body.WriteString(want[i] + "\n")
			}
			slices.Sort(want)
			crashed := 0
			for step := 0; ; step++ {
				redis.Do("FLUSHALL")
				dies := startChild(t, redis, k, step)
				first, err := dies.send(t.Context(), "", ndjson, strings.NewReader(body.String()), "Idempotency-Key", strconv.Itoa(step))
				dies.stop()
				if err != nil {
					crashed++
				}
				again := lives.post(t, "", ndjson, []byte(body.String()), "Idempotency-Key", strconv.Itoa(step))
				again.wants(t, "a repetition", http.StatusAccepted, "")
				got := lives.events(t)
				inOrder(t, lives.site)
				slices.Sort(got)
				if !slices.Equal(got, want) {
					t.Fatalf("step %d: %d events are published, want %d", step, len(got), len(want))
				}
				third := lives.post(t, "", ndjson, []byte(body.String()), "Idempotency-Key", strconv.Itoa(step))
				if third.text != again.text || third.status != again.status {
					t.Fatalf("step %d: the answers are\n%s\n%s", step, again.text, third.text)
				}
				if n := len(lives.events(t)); n != len(want) {
					t.Fatalf("step %d: after a third one %d events are published", step, n)
				}
				if err == nil { // it didn't get as far as this step
					if first.text != again.text {
						t.Fatalf("the answers are\n%s\n%s", first.text, again.text)
					}
					break
				}
			}
			if crashed < 2 || crashed%2 != 0 {
				t.Fatalf("it was killed %d times: before and after each of its calls, it should have been", crashed)
			}
		})
	}
}

// The server of the streams dies at any byte of its answer: what it acknowledged is there, and a repetition
// publishes the rest.
func TestConnectionLostAtEachByte(t *testing.T) {
	t.Parallel()
	redis := redistest.Start(t)
	k := things(t, 1)
	proxy := redistest.NewProxy(t, redis.Addr())
	client, err := stream.Open(t.Context(), stream.Config{URL: proxy.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	s := over(t, redis, k, func(cfg *ingest.Config, _ *api.Config) {
		to := publisher{client.Appender(), client.StoredWatcher()}
		t.Cleanup(to.Close)
		cfg.Publisher = to
	})
	body := []byte(thing("a", "x") + "\n" + thing("b", "x"))
	refused := 0
	for cut := int64(0); cut < 120; cut += 7 {
		redis.Do("FLUSHALL")
		s.post(t, "", ndjson, []byte(thing("warm", "x"))).wants(t, "a connection", http.StatusAccepted, "")
		redis.Do("FLUSHALL")
		proxy.CutAfter(cut)
		key := strconv.FormatInt(cut, 10)
		r := s.post(t, "", ndjson, body, "Idempotency-Key", key)
		if r.status != http.StatusAccepted {
			r.wants(t, "cut", http.StatusServiceUnavailable, "stream-unavailable")
			refused++
		}
		proxy.CutAfter(-1)
		proxy.Cut()
		eventually(t, "published", func() bool { return s.post(t, "", ndjson, body, "Idempotency-Key", key).status == http.StatusAccepted })
		equal(t, fmt.Sprint("cut after ", cut), s.events(t), []string{thing("a", "x"), thing("b", "x")})
	}
	if refused == 0 {
		t.Error("no connection was lost in a request")
	}
}
