package bench_test

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"
)

// BenchmarkDownload downloads all -rows flights over HTTP, uncompressed but for what Parquet has inside, and compares the rows a second with
// DuckDB's own COPY of a copy of the table to a file: with as many threads as the warehouse has
// ("copy") and with all cores ("copy-cores").
func BenchmarkDownload(b *testing.B) {
	bd := newReadBed(b)
	twin := bd.twin()
	base := bd.serveAPI(map[string]string{"all": "-- All.\n-- limit: rows=100000000 time=10m\nSELECT * FROM flights"})
	formats := []struct{ name, options string }{{"ndjson", "FORMAT json"}, {"parquet", "FORMAT parquet"}}
	for b.Loop() {
		for _, f := range formats {
			var own, cores, rates []float64
			for range *laps {
				through := download(b, base+"/v1/flights/all?format="+f.name).Seconds()
				own = append(own, twin.copyTo(b, f.options, max(1, runtime.NumCPU()/2)).Seconds()/through)
				cores = append(cores, twin.copyTo(b, f.options, runtime.NumCPU()).Seconds()/through)
				rates = append(rates, float64(*rows)/through)
			}
			b.ReportMetric(median(rates), f.name+"-rows/s")
			b.ReportMetric(median(own), f.name+"/copy")
			b.ReportMetric(median(cores), f.name+"/copy-cores")
		}
	}
}

// uncompressed is a client that asks for no content coding.
var uncompressed = &http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}}

// download reads an answer to its end.
func download(b *testing.B, target string) time.Duration {
	b.Helper()
	start := time.Now()
	res, err := uncompressed.Get(target)
	if err != nil {
		b.Fatal(err)
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, res.Body, make([]byte, 1<<20))
	_ = res.Body.Close()
	if err != nil || res.StatusCode != http.StatusOK {
		b.Fatalf("%s %v", res.Status, err)
	}
	return time.Since(start)
}

// twin is a copy of the warehouse's file in an instance without its restrictions.
type twin struct{ db *sql.DB }

func (bd *bed) twin() twin {
	bd.b.Helper()
	if err := bd.warehouse.Close(); err != nil {
		bd.b.Fatal(err)
	}
	file := filepath.Join(bd.b.TempDir(), "twin.duckdb")
	content, err := os.ReadFile(bd.file)
	check(err)
	check(os.WriteFile(file, content, 0o600))
	bd.open()
	db, err := sql.Open("duckdb", file)
	check(err)
	bd.b.Cleanup(func() { _ = db.Close() })
	return twin{db}
}

// copyTo writes the table to a file.
func (t twin) copyTo(b *testing.B, options string, threads int) time.Duration {
	b.Helper()
	ctx := context.WithoutCancel(b.Context())
	if _, err := t.db.ExecContext(ctx, fmt.Sprintf("SET threads = %d", threads)); err != nil {
		b.Fatal(err)
	}
	start := time.Now()
	if _, err := t.db.ExecContext(ctx, "COPY flights TO '"+filepath.Join(b.TempDir(), "copy")+"' ("+options+")"); err != nil {
		b.Fatal(err)
	}
	return time.Since(start)
}
