package operation_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/dataset"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/operation"
	"github.com/estela-dev/estela/services/internal/redistest"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/telemetry"
	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/warehousetest"
	"github.com/estela-dev/estela/services/internal/worker"
)

const thing = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "x-estela": {"key": "id", "time": "at"},
  "required": ["id", "at"],
  "properties": {
    "id": {"type": "string", "minLength": 1},
    "at": {"type": "string", "format": "date-time"},
    "n": {"type": "integer"}
  }
}`

// workerless is the pipeline of a process that has a connection to Redis and no worker.
type workerless struct{ redis *stream.Client }

func (workerless) Unready(context.Context) []string { return nil }
func (p workerless) Redis(context.Context) (*stream.Client, func(), error) {
	return p.redis, func() {}, nil
}

func (workerless) Worker(context.Context) (*worker.Worker, func() error, error) {
	panic("no worker")
}
func (workerless) Commit(context.Context, *contract.Batch) error { panic("no worker") }

// searching is a process without a worker that can look into a stream and a warehouse.
func searching(t *testing.T) (*operation.Server, *redistest.Server) {
	t.Helper()
	server := redistest.Start(t)
	client, err := stream.Open(t.Context(), stream.Config{URL: server.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	c, err := contract.Load(fstest.MapFS{"things/contract.json": {Data: []byte(thing)}}, "things")
	if err != nil {
		t.Fatal(err)
	}
	store := warehousetest.Open(t, warehouse.Config{Database: database.Config{Location: filepath.Join(t.TempDir(), "w.duckdb")}})
	if err := store.Register(t.Context(), c, "", nil); err != nil {
		t.Fatal(err)
	}
	return &operation.Server{
		Datasets: []*dataset.Dataset{{Contract: c}}, Store: store, Metrics: telemetry.New(nil), Pipeline: workerless{client},
	}, server
}

// locate asks where an event is.
func locate(t *testing.T, s *operation.Server, asked string) (f operation.Located, err error) {
	t.Helper()
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/ops/events/"+asked, nil))
	if w.Code != http.StatusOK {
		return f, fmt.Errorf("status %d: %s", w.Code, w.Body)
	}
	return f, json.Unmarshal(w.Body.Bytes(), &f)
}

// While no worker runs, events wait: found by key and by ID, in a batch entry too, and with
// what a broken one breaks.
func TestLocateWaiting(t *testing.T) {
	t.Parallel()
	n, server := searching(t)
	id, _ := server.Do("XADD", "estela:{things:0}", "*", "events",
		`{"id":"a","at":"2026-01-01T00:00:00Z"}`+"\n"+`{"id":"b","at":"yesterday"}`+"\nnot json").(string)

	for asked, want := range map[string][]string{"a": {"a 1 0"}, "b": {"b 2 1"}, id: {"a 1 0", "b 2 1", " 3 1"}, "nobody": nil, "1-1": nil} {
		f, err := locate(t, n, asked)
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Events) != len(want) {
			t.Errorf("%s: %+v, want %q", asked, f.Events, want)
			continue
		}
		for i, e := range f.Events {
			if got := fmt.Sprint(e.Key, " ", e.Line, " ", len(e.Violations)); got != want[i] || e.State != operation.Waiting || !e.InStream || e.ID != id {
				t.Errorf("%s: %+v, want %s", asked, e, want[i])
			}
		}
	}
}

// TestLocateWithoutRedis: what is in the tables is found, and it is said where nobody looked.
func TestLocateWithoutRedis(t *testing.T) {
	t.Parallel()
	n, server := searching(t)
	server.Kill()
	f, err := locate(t, n, "a")
	if err != nil || len(f.Events) > 0 || !strings.HasPrefix(f.Searched, "tables and rejects; not the streams, where it may be still: ") || !strings.Contains(f.Searched, "connection refused") {
		t.Errorf("%+v, %v", f, err)
	}
}

// An entry below the position is called a duplicate only if its key is stored: what somebody
// added out of order and nobody has looked at is neither.
func TestLocateBelowThePosition(t *testing.T) {
	t.Parallel()
	n, server := searching(t)
	c := n.Datasets[0].Contract
	id, _ := server.Do("XADD", "estela:{things:0}", "5-1", "event", `{"id":"a","at":"2026-01-01T00:00:00Z"}`).(string)
	pos, err := n.Store.TakeOver(t.Context(), c, 0)
	if err != nil {
		t.Fatal(err)
	}
	b, d := c.NewBatch(0, 1), c.NewDecoder()
	d.Decode(b, []byte(`{"id":"b","at":"2026-01-01T00:00:00Z"}`), event.ID{MS: 6}, 0)
	b.Last = event.ID{MS: 10}
	if pos, err = n.Store.Commit(t.Context(), pos, b); err != nil {
		t.Fatal(err)
	}
	state := func(want string) {
		t.Helper()
		f, err := locate(t, n, id)
		if err != nil || len(f.Events) != 1 || f.Events[0].State != want {
			t.Fatalf("got %+v, %v, want it %s", f.Events, err, want)
		}
	}
	state(operation.Uncommitted)
	b.Reset()
	d.Decode(b, []byte(`{"id":"a","at":"2026-01-01T00:00:00Z"}`), event.ID{MS: 7}, 0)
	b.Last = event.ID{MS: 10}
	if _, err = n.Store.Commit(t.Context(), pos, b); err != nil {
		t.Fatal(err)
	}
	state(operation.Duplicate)
}
