package inference_test

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" // what the time is compared with

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/importer"
	"github.com/estela-dev/estela/services/internal/inference"
)

const benchRows = 1_000_000

// writeOrders writes a CSV as exports of shops are: ids, times, words, numbers.
func writeOrders(b *testing.B) string {
	b.Helper()
	file := filepath.Join(b.TempDir(), "orders.csv")
	out, err := os.Create(file)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriterSize(out, 1<<20)
	_, _ = fmt.Fprintln(w, "Order Id,Ordered At,Customer,Country,Status,Quantity,Unit Price,Discount,Zip Code,Comment")
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range benchRows {
		_, _ = fmt.Fprintf(w, "ORD-%07d,%s,customer %d,%s,%s,%d,%d.%02d,%s,%05d,%q\n", i, at.Add(time.Duration(i)*time.Second).Format(time.RFC3339), i%5000,
			[]string{"CL", "PE", "BR", "CO", "ES"}[i%5], []string{"paid", "open", "sent"}[i%3], 1+i%7, 5+i%400, i%100, []string{"", "0.1", "0.25"}[i%3], i%90000, fmt.Sprint("leave it, at door ", i%1000))
	}
	if err := w.Flush(); err != nil {
		b.Fatal(err)
	}
	if err := out.Close(); err != nil {
		b.Fatal(err)
	}
	return file
}

// BenchmarkInference compares with what DuckDB takes to sniff the file and to read all of it.
func BenchmarkInference(b *testing.B) {
	file := writeOrders(b)
	db, err := sql.Open("duckdb", "")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	var ours, theirs time.Duration
	for b.Loop() {
		begun := time.Now()
		theirsOf(b, db, file)
		theirs += time.Since(begun)
		begun = time.Now()
		infer(b, file)
		ours += time.Since(begun)
	}
	b.ReportMetric(ours.Seconds()/float64(b.N), "s")
	b.ReportMetric(theirs.Seconds()/float64(b.N), "s-duckdb")
	b.ReportMetric(ours.Seconds()/theirs.Seconds(), "x")
}

func theirsOf(b *testing.B, db *sql.DB, file string) {
	b.Helper()
	var columns string
	if err := db.QueryRowContext(b.Context(), "SELECT columns FROM sniff_csv('"+file+"')").Scan(new(any)); err != nil {
		b.Fatal(err, columns)
	}
	var x any
	if err := db.QueryRowContext(b.Context(), "SELECT max(COLUMNS(*))::VARCHAR FROM read_csv('"+file+"')").Scan(&x, &x, &x, &x, &x, &x, &x, &x, &x, &x); err != nil {
		b.Fatal(err)
	}
}

func infer(b *testing.B, file string) {
	b.Helper()
	f, err := importer.Open(context.WithoutCancel(b.Context()), importer.Config{Path: file})
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	p := inference.New(true)
	var split contract.Splitter
	err = f.Each(b.Context(), func(d importer.Document) error {
		members, _ := split.Split(d.JSON)
		return p.Add(members)
	})
	key, search := p.Key()
	if err != nil || p.Rows() != benchRows || search != nil || len(key.Columns) != 1 {
		b.Fatal(p.Rows(), err, key)
	}
}
