package bench_test

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

var (
	commitRows    = flag.Int("commit-rows", 122_880, "rows of a commit of BenchmarkCommit")
	commitThreads = flag.Int("commit-threads", 0, "threads")
)

// BenchmarkCommit commits flights that are decoded already.
func BenchmarkCommit(b *testing.B) {
	c, err := contract.Load(os.DirFS("../../../data"), "flights")
	if err != nil {
		b.Fatal(err)
	}
	size := *commitRows
	decoder := c.NewDecoder()
	var batches []*contract.Batch
	for k := range 2 {
		batch := c.NewBatch(0, size)
		for i := range size {
			decoder.Decode(batch, flight(k*size+i), event.ID{MS: 1, Seq: uint64(k*size + i)}, 0)
		}
		batch.Entries = size
		batches = append(batches, batch)
	}
	for b.Loop() {
		file := filepath.Join(b.TempDir(), "bench.duckdb")
		w, err := warehouse.Open(b.Context(), warehouse.Config{Database: database.Config{Location: file, MemoryLimit: "1GB", Threads: *commitThreads}})
		if err != nil {
			b.Fatal(err)
		}
		if err := w.Register(b.Context(), c, "", nil); err != nil {
			b.Fatal(err)
		}
		pos, err := w.TakeOver(b.Context(), c, 0)
		if err != nil {
			b.Fatal(err)
		}
		start, cpu := time.Now(), cpuTime(b)
		n := (*events + size - 1) / size
		for i := range n {
			batch := batches[i%2]
			batch.Last = event.ID{MS: uint64(i + 1)}
			if pos, err = w.Commit(b.Context(), pos, batch); err != nil {
				b.Fatal(err)
			}
		}
		rows := float64(n * size)
		b.ReportMetric(float64(time.Since(start).Nanoseconds())/rows, "ns/row")
		b.ReportMetric(float64((cpuTime(b)-cpu).Nanoseconds())/rows, "cpu-ns/row")
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
		info, err := os.Stat(file)
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(info.Size())/rows, "B/row")
		b.ReportMetric(0, "ns/op")
	}
}
