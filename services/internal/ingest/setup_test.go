package ingest_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/apitest"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/ingest"
	"github.com/estela-dev/estela/services/internal/redistest"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/telemetrytest"
)

func TestMain(m *testing.M) {
	if os.Getenv(crashVariable) != "" {
		serveAndCrash()
		return
	}
	goleak.VerifyTestMain(m,
		// Fiber's clock, which runs as long as the process.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.updateServerDate.func1"),
		// Notices within 10 s that its server has stopped, and ends.
		goleak.IgnoreAnyFunction("github.com/valyala/fasthttp.(*workerPool).Start.func2"),
	)
}

// things is a dataset of as many shards.
func things(t testing.TB, shards int) *contract.Contract {
	t.Helper()
	return parse(t, "things", fmt.Sprintf(`{"type": "object", "additionalProperties": false,
		"x-estela": {"key": "id", "partition": "p", "shards": %d,
			"cloudevents": {"id": "id", "subject": "p", "time": "at", "level": "n", "type": "kind"}},
		"required": ["id", "p"],
		"properties": {"id": {"type": "string", "minLength": 1}, "p": {"type": "string"}, "n": {"type": "integer", "minimum": 0},
			"at": {"type": "string", "format": "date-time"}, "kind": {"type": "string"}, "text": {"type": "string"}}}`, shards))
}

func parse(t testing.TB, name, schema string) *contract.Contract {
	t.Helper()
	c, err := contract.Parse(name, name+"/contract.json", []byte(schema))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// thing is a valid event.
func thing(id, partition string) string { return fmt.Sprintf(`{"id":%q,"p":%q,"n":1}`, id, partition) }

// publisher is what cmd/estela makes of a stream's client.
type publisher struct {
	*stream.Appender
	*stream.StoredWatcher
}

// observer counts.
type observer struct {
	mu             sync.Mutex
	posted         map[string]int // by status and problem
	events, broken int
	took           time.Duration // of the slowest
}

func (o *observer) Posted(_ string, status int, problem string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.posted[strings.TrimSpace(fmt.Sprint(status, " ", problem))]++
}

func (o *observer) Accepted(_ string, events, invalid int, _ int64, took time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.took = max(o.took, took)
	o.events, o.broken = o.events+events, o.broken+invalid
}

// site is a server of POST and what is behind it.
type site struct {
	url      string
	server   *ingest.Server
	redis    *redistest.Server
	contract *contract.Contract
	observer *observer
	log      *telemetrytest.Log
}

// setting changes a site.
type setting func(*ingest.Config, *api.Config)

// setup serves the dataset over a Redis of its own.
func setup(t *testing.T, k *contract.Contract, settings ...setting) *site {
	t.Helper()
	return over(t, redistest.Start(t), k, settings...)
}

// over serves the dataset over the server.
func over(t *testing.T, redis *redistest.Server, k *contract.Contract, settings ...setting) *site {
	t.Helper()
	client, err := stream.Open(t.Context(), stream.Config{URL: redis.URL()})
	if err != nil {
		t.Fatal(err)
	}
	to := publisher{client.Appender(), client.StoredWatcher()}
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { to.Run(ctx) })
	t.Cleanup(func() {
		cancel()
		running.Wait()
		to.Close()
		_ = client.Close()
	})
	s := &site{redis: redis, contract: k, observer: &observer{posted: map[string]int{}}, log: &telemetrytest.Log{}}
	cfg := ingest.Config{Contracts: []*contract.Contract{k}, Publisher: to, Observer: s.observer, Logger: slog.New(slog.NewTextHandler(s.log, nil))}
	front := api.Config{Datasets: []endpoint.Dataset{{Name: k.Name}}, Logger: cfg.Logger, Pages: apitest.Pages{}}
	for _, set := range settings {
		set(&cfg, &front)
	}
	posts, err := ingest.New(ctx, cfg)
	if err != nil {
		t.Fatal(err)
	}
	front.Ingest, s.server = posts, posts
	server, err := api.New(t.Context(), front)
	if err != nil {
		t.Fatal(err)
	}
	s.url = apitest.Serve(t, server).URL
	return s
}

// reply is the answer to a POST, or its problem.
type reply struct {
	Events, Rejected int
	Stored           bool
	Streams          []struct {
		Shard, Events         int
		First, Last, Position string
	}
	Type, Detail, Parameter string
	Invalid                 int
	Errors                  []struct {
		Line                     int
		Pointer, Keyword, Detail string
	}

	status int
	header http.Header
	text   string
}

// kind is the slug of the problem.
func (r *reply) kind() string { return strings.TrimPrefix(r.Type, "/docs/problems/") }

const ndjson = "application/x-ndjson"

// post sends a body; headers are names and values in turn.
func (s *site) post(t *testing.T, query, contentType string, body []byte, headers ...string) *reply {
	t.Helper()
	r, err := s.send(t.Context(), query, contentType, bytes.NewReader(body), headers...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (s *site) send(ctx context.Context, query, contentType string, body io.Reader, headers ...string) (*reply, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url+"/v1/"+s.contract.Name+"/events"+query, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", contentType)
	for pair := range slices.Chunk(headers, 2) {
		req.Header.Add(pair[0], pair[1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	r := &reply{status: res.StatusCode, header: res.Header, text: string(text)}
	return r, json.Unmarshal(text, r)
}

// wants checks status and kind.
func (r *reply) wants(t *testing.T, what string, status int, kind string) {
	t.Helper()
	if r.status != status || r.kind() != kind {
		t.Fatalf("%s: %d %s, want %d %s\n%s", what, r.status, r.kind(), status, kind, r.text)
	}
}

// published is what is in the streams, by shard: the lines of each entry.
func (s *site) published(t *testing.T) (all [][]string) {
	t.Helper()
	for shard := range s.contract.Shards {
		all = append(all, s.lines(t, stream.Key(s.contract, shard)))
	}
	return all
}

func (s *site) lines(t *testing.T, key string) (lines []string) {
	t.Helper()
	entries, _ := s.redis.Do("XRANGE", key, "-", "+").([]any)
	for _, e := range entries {
		fields := e.([]any)[1].([]any)
		name, payload := fields[0].(string), fields[1].(string)
		switch name {
		case contract.FieldEvents:
			lines = append(lines, strings.Split(strings.TrimSuffix(payload, "\n"), "\n")...)
		default:
			lines = append(lines, payload)
		}
	}
	return lines
}

// events is what is published over all shards.
func (s *site) events(t *testing.T) []string {
	t.Helper()
	return slices.Concat(s.published(t)...)
}

// decoded is what the worker's decoder makes of the streams.
func (s *site) decoded(t *testing.T) (rows, rejects int) {
	t.Helper()
	batch, decoder := s.contract.NewBatch(0, 0), s.contract.NewDecoder()
	for shard := range s.contract.Shards {
		entries, _ := s.redis.Do("XRANGE", stream.Key(s.contract, shard), "-", "+").([]any)
		for _, e := range entries {
			fields := e.([]any)[1].([]any)
			kind := event.Single
			if fields[0] == contract.FieldEvents {
				kind = event.Lines
			}
			decoder.DecodeEntry(batch, event.Entry{Kind: kind, Payload: []byte(fields[1].(string))})
		}
	}
	return batch.Rows, len(batch.Rejects)
}

func equal(t *testing.T, what string, got, want []string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s: got\n%s\nwant\n%s", what, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// eventually waits until ok is true.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s: still not after 20 s", what)
}
