package main

import (
	"context"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/fstest"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/telemetry"
	"github.com/estela-dev/estela/services/internal/telemetrytest"
	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/warehousetest"
)

// An API without a worker reads from the warehouse which trace was stored last: the next read is in
// it, and what was stored before the API looked for the first time is not.
func TestTracesOfAnAPIApart(t *testing.T) { //nolint:paralleltest // it sets variables
	var sent atomic.Int64
	telemetrytest.Collector(t, func(string, []byte) { sent.Add(1) })
	log := slog.New(slog.DiscardHandler)
	c, err := contract.Load(fstest.MapFS{"things/contract.json": {Data: []byte(thing)}}, "things")
	if err != nil {
		t.Fatal(err)
	}
	store := warehousetest.Open(t, warehouse.Config{Database: database.Config{Location: filepath.Join(t.TempDir(), "w.duckdb")}})
	if err := store.Register(t.Context(), c, "", nil); err != nil {
		t.Fatal(err)
	}
	pos, err := store.TakeOver(t.Context(), c, 0)
	if err != nil {
		t.Fatal(err)
	}
	commit := func(trace string) {
		t.Helper()
		b := c.NewBatch(0, 1)
		b.Last = event.ID{MS: pos.Last.MS + 1}
		b.Traces = []event.Traced{{ID: b.Last, Parent: "00-" + trace + "-b7ad6b7169203331-01"}}
		if pos, err = store.Commit(t.Context(), pos, b); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name string
		do   func()
		want int64
	}{
		{"stored before the first look", func() {}, 0},
		{"stored after it", func() { commit("0af7651916cd43dd8448eb211c80319d") }, 1},
	} {
		commit("0af7651916cd43dd8448eb211c80319c")
		sent.Store(0)
		c := &core{log: log, store: store, metrics: telemetry.New([]string{"things"})}
		var end cleanup
		tracing, err := (&otlpFlags{OTLPAuth: "none"}).tracing(t.Context(), log, &end)
		if err != nil {
			t.Fatal(err)
		}
		c.metrics.Trace(tracing)
		ctx, stop := context.WithCancel(t.Context())
		requests, ended := make(chan struct{}), make(chan error, 1)
		go func() { ended <- c.watchCommits(ctx, tracing, requests, 0) }()
		ask := func() { requests <- struct{}{} }
		ask()
		ask() // the first look is over
		test.do()
		ask()
		ask()
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		c.metrics.Request("things/all", 200, 0)
		if err := end.run(); err != nil || sent.Load() != test.want {
			t.Errorf("%s: %v, sent %d times, want %d", test.name, err, sent.Load(), test.want)
		}
	}
}
