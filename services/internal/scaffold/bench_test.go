package scaffold_test

import (
	"bufio"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" // what the time is compared with

	"github.com/estela-dev/estela/services/internal/scaffold"
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
	if err := db.QueryRowContext(b.Context(), "SELECT Columns FROM sniff_csv('"+file+"')").Scan(new(any)); err != nil {
		b.Fatal(err)
	}
	var x any
	if err := db.QueryRowContext(b.Context(), "SELECT max(COLUMNS(*)) FROM read_csv('"+file+"')").Scan(&x, &x, &x, &x, &x, &x, &x, &x, &x, &x); err != nil {
		b.Fatal(err)
	}
}

// infer reads the file as estela init does, the sample included.
func infer(b *testing.B, file string) {
	b.Helper()
	s, err := scaffold.Read(b.Context(), scaffold.Config{Name: "orders", Files: []scaffold.File{{Path: file, Name: file}}})
	if err != nil || s.Rows != benchRows || len(s.Key.Columns) != 1 {
		b.Fatal(err)
	}
}
