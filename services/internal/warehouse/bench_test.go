package warehouse_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/warehousetest"
)

// wide is a dataset of 12 columns whose events take about 300 bytes as JSON.
func wide() *contract.Contract {
	c := &contract.Contract{Name: "wide", Version: "v1", Schema: []byte("{}"), Shards: 1}
	for _, column := range []contract.Column{
		{Name: "event_id", Type: contract.Varchar}, {Name: "flight_id", Type: contract.Varchar},
		{Name: "occurred_at", Type: contract.TimestampTZ}, {Name: "scheduled_at", Type: contract.TimestampTZ},
		{Name: "actual_at", Type: contract.TimestampTZ}, {Name: "origin", Type: contract.Varchar},
		{Name: "destination", Type: contract.Varchar}, {Name: "zone", Type: contract.Varchar},
		{Name: "status", Type: contract.Varchar}, {Name: "delay", Type: contract.SmallInt},
		{Name: "distance", Type: contract.SmallInt}, {Name: "diverted", Type: contract.Boolean},
	} {
		c.Columns = append(c.Columns, column)
	}
	return c
}

// fillWide makes a batch of rows rows from the given place on.
func fillWide(c *contract.Contract, rows, from int) warehousetest.Batch {
	b := warehousetest.NewBatch(c, 0)
	start := time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)
	airports := []string{"LAX", "JFK", "SFO", "ATL", "ORD", "DFW", "DEN"}
	for i := from; i < from+rows; i++ {
		at := start.Add(time.Duration(i) * time.Second)
		origin, destination := airports[i%7], airports[i/7%7]
		flight := fmt.Sprintf("%s-%s-%s-%d", at.Format("20060102"), origin, destination, i)
		b.Add(contract.ID{MS: uint64(i / 10), Seq: uint64(i % 10)}, 0,
			flight+"-departed", flight, at, at.Add(-time.Minute), at.Add(time.Hour), origin, destination,
			"America/Los_Angeles", "departed", i%200-20, i%3000, i%50 == 0)
	}
	return b
}

func BenchmarkCommit(b *testing.B) {
	for _, staged := range []bool{false, true} {
		for _, rows := range []int{100, 1000, 10_000, 122_880} {
			b.Run(fmt.Sprintf("staged=%t/rows=%d", staged, rows), func(b *testing.B) { benchmarkCommit(b, rows, staged) })
		}
	}
}

func benchmarkCommit(b *testing.B, rows int, staged bool) {
	w, err := warehouse.Open(b.Context(), warehouse.Config{Location: filepath.Join(b.TempDir(), "bench.duckdb"), Staged: staged})
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	c := wide()
	if err := w.Register(b.Context(), c, "", nil); err != nil {
		b.Fatal(err)
	}
	pos, err := w.TakeOver(b.Context(), c, 0)
	if err != nil {
		b.Fatal(err)
	}
	batch := fillWide(c, rows, 0)
	for b.Loop() {
		if pos, err = w.Commit(b.Context(), pos, batch.Batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
