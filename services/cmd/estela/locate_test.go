package main

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/redistest"
	"github.com/estela-dev/estela/services/internal/stream"
	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/warehousetest"
)

// searching is a process without a worker that can look into a stream and a warehouse.
func searching(t *testing.T) (*node, *redistest.Server) {
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
	store := warehousetest.Open(t, warehouse.Config{Location: filepath.Join(t.TempDir(), "w.duckdb")})
	if err := store.Register(t.Context(), c, "", nil); err != nil {
		t.Fatal(err)
	}
	return &node{g: &Globals{}, log: slog.New(slog.DiscardHandler), datasets: []*dataset{{Contract: c}}, redis: client, store: store}, server
}

// While no worker runs, events wait: found by key and by ID, in a batch entry too, and with
// what a broken one breaks.
func TestJourneyOfWhatWaits(t *testing.T) {
	t.Parallel()
	n, server := searching(t)
	id, _ := server.Do("XADD", "estela:{things:0}", "*", "events",
		`{"id":"a","at":"2026-01-01T00:00:00Z"}`+"\n"+`{"id":"b","at":"yesterday"}`+"\nnot json").(string)

	for asked, want := range map[string][]string{"a": {"a 1 0"}, "b": {"b 2 1"}, id: {"a 1 0", "b 2 1", " 3 1"}, "nobody": nil, "1-1": nil} {
		f, err := n.search(t.Context(), n.datasets, asked)
		if err != nil {
			t.Fatal(err)
		}
		if len(f.Events) != len(want) {
			t.Errorf("%s: %+v, want %q", asked, f.Events, want)
			continue
		}
		for i, e := range f.Events {
			if got := fmt.Sprint(e.Key, " ", e.Line, " ", len(e.Violations)); got != want[i] || e.State != stateWaiting || !e.InStream || e.ID != id {
				t.Errorf("%s: %+v, want %s", asked, e, want[i])
			}
		}
	}
}

// TestJourneyWithoutRedis: what is in the tables is found, and it is said where nobody looked.
func TestJourneyWithoutRedis(t *testing.T) {
	t.Parallel()
	n, server := searching(t)
	server.Kill()
	f, err := n.search(t.Context(), n.datasets, "a")
	if err != nil || len(f.Events) > 0 || !strings.HasPrefix(f.Searched, "tables and rejects; not the streams, where it may be still: ") || !strings.Contains(f.Searched, "connection refused") {
		t.Errorf("%+v, %v", f, err)
	}
}

// An entry below the position is called a duplicate only if its key is stored: what somebody
// added out of order and nobody has looked at is neither.
func TestJourneyBelowThePosition(t *testing.T) {
	t.Parallel()
	n, server := searching(t)
	c := n.datasets[0].Contract
	id, _ := server.Do("XADD", "estela:{things:0}", "5-1", "event", `{"id":"a","at":"2026-01-01T00:00:00Z"}`).(string)
	pos, err := n.store.TakeOver(t.Context(), c, 0)
	if err != nil {
		t.Fatal(err)
	}
	b, d := c.NewBatch(0, 1), c.NewDecoder()
	d.Decode(b, []byte(`{"id":"b","at":"2026-01-01T00:00:00Z"}`), event.ID{MS: 6}, 0)
	b.Last = event.ID{MS: 10}
	if pos, err = n.store.Commit(t.Context(), pos, b); err != nil {
		t.Fatal(err)
	}
	state := func(want string) {
		t.Helper()
		f, err := n.search(t.Context(), n.datasets, id)
		if err != nil || len(f.Events) != 1 || f.Events[0].State != want {
			t.Fatalf("got %+v, %v, want it %s", f.Events, err, want)
		}
	}
	state(stateUnsettled)
	b.Reset()
	d.Decode(b, []byte(`{"id":"a","at":"2026-01-01T00:00:00Z"}`), event.ID{MS: 7}, 0)
	b.Last = event.ID{MS: 10}
	if _, err = n.store.Commit(t.Context(), pos, b); err != nil {
		t.Fatal(err)
	}
	state(stateDuplicate)
}
