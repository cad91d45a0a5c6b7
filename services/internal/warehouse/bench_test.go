package warehouse_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/warehousetest"
)

// wide is a dataset of 12 columns whose events take about 300 bytes as JSON.
func wide() *contract.Contract {
	return &contract.Contract{Name: "wide", Version: "v1", Schema: []byte("{}"), Shards: 1, Key: []int{0}, Columns: []contract.Column{
		{Name: "event_id", Type: column.Varchar},
		{Name: "flight_id", Type: column.Varchar},
		{Name: "occurred_at", Type: column.TimestampTZ},
		{Name: "scheduled_at", Type: column.TimestampTZ},
		{Name: "actual_at", Type: column.TimestampTZ},
		{Name: "origin", Type: column.Varchar},
		{Name: "destination", Type: column.Varchar},
		{Name: "zone", Type: column.Varchar},
		{Name: "status", Type: column.Varchar},
		{Name: "delay", Type: column.SmallInt},
		{Name: "distance", Type: column.SmallInt},
		{Name: "diverted", Type: column.Boolean},
	}}
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
		b.Add(event.ID{MS: uint64(i / 10), Seq: uint64(i % 10)}, 0,
			flight+"-departed", flight, at, at.Add(-time.Minute), at.Add(time.Hour), origin, destination,
			"America/Los_Angeles", "departed", i%200-20, i%3000, i%50 == 0)
	}
	return b
}

// rowGroup is DuckDB's row-group size.
const rowGroup = 122_880

// benchWide opens a new warehouse with the wide dataset.
func benchWide(b *testing.B, staged bool) (*warehouse.Warehouse, *contract.Contract, event.Position) {
	w := warehousetest.New(b, func(c *warehouse.Config) { c.Staged = staged })
	c := wide()
	if err := w.Register(b.Context(), c, "", nil); err != nil {
		b.Fatal(err)
	}
	pos, err := w.TakeOver(b.Context(), c, 0)
	if err != nil {
		b.Fatal(err)
	}
	return w, c, pos
}

// BenchmarkCommit stores batches of 12 columns, about 300 bytes an event as JSON.
func BenchmarkCommit(b *testing.B) {
	for _, staged := range []bool{false, true} {
		for _, rows := range []int{100, 1000, 10_000, rowGroup} {
			b.Run(fmt.Sprintf("staged=%t/rows=%d", staged, rows), func(b *testing.B) { benchmarkCommit(b, rows, staged) })
		}
	}
}

func benchmarkCommit(b *testing.B, rows int, staged bool) {
	w, c, pos := benchWide(b, staged)
	batch := fillWide(c, rows, 0)
	for b.Loop() {
		var err error
		if pos, err = w.Commit(b.Context(), pos, batch.Batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkLookup looks up 1,000 keys, each stored somewhere in the last
// 100,000 rows, in tables of different size: the cost must be that of the span
// and not of the table.
func BenchmarkLookup(b *testing.B) {
	for _, groups := range benchGroups() {
		b.Run(fmt.Sprintf("rows=%d", groups*rowGroup), func(b *testing.B) {
			w, c, rows := filled(b, groups)
			again := fillWide(c, 1000, rows)
			candidates := make([]event.Candidate, again.Rows)
			from := uint64(rows-100_000) / 10
			for i := range candidates {
				candidates[i] = event.Candidate{Row: i, FromMS: from, ToMS: uint64(rows) / 10}
			}
			for b.Loop() {
				found, err := w.Lookup(b.Context(), again.Batch, candidates)
				if err != nil || len(found.Duplicates) != 0 {
					b.Fatal(found, err)
				}
			}
		})
	}
}

// BenchmarkKeys reads the keys of a whole table.
func BenchmarkKeys(b *testing.B) {
	for _, groups := range benchGroups() {
		b.Run(fmt.Sprintf("rows=%d", groups*rowGroup), func(b *testing.B) {
			w, c, rows := filled(b, groups)
			for b.Loop() {
				n := 0
				if err := w.Keys(b.Context(), c, 0, 0, func(_, _, _ uint64) { n++ }); err != nil || n != rows {
					b.Fatal(n, err)
				}
			}
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds(), "keys/s")
		})
	}
}

// benchGroups are the table sizes in row groups; ESTELA_BENCH_GROUPS adds one,
// such as 82 for ten million rows.
func benchGroups() []int {
	groups := []int{2, 8}
	if n, err := strconv.Atoi(os.Getenv("ESTELA_BENCH_GROUPS")); err == nil {
		groups = append(groups, n)
	}
	return groups
}

// filled is a warehouse with that many row groups, no key twice.
func filled(b *testing.B, groups int) (*warehouse.Warehouse, *contract.Contract, int) {
	w, c, pos := benchWide(b, false)
	for i := range groups {
		var err error
		if pos, err = w.Commit(b.Context(), pos, fillWide(c, rowGroup, i*rowGroup).Batch); err != nil {
			b.Fatal(err)
		}
	}
	return w, c, groups * rowGroup
}
