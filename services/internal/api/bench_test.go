package api_test

import (
	"context"
	"io"
	"testing"

	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/encode"
	"github.com/estela-dev/estela/services/internal/result"
)

// BenchmarkEncode encodes the sample's flights in each format and, for comparison, has DuckDB
// write the JSON ("duckdb"), without our rules for times and NaN. It is why package encode exists.
func BenchmarkEncode(b *testing.B) {
	db, err := flights()
	if err != nil {
		b.Fatal(err)
	}
	r := reader{db}
	columns, err := r.Describe(b.Context(), "FROM flights", nil)
	if err != nil {
		b.Fatal(err)
	}
	run := func(b *testing.B, query string, each func(result.Rows) error) {
		b.Helper()
		err := r.conn(b.Context(), func(conn *database.Conn) error {
			// One thread, as the warehouse has on two cores.
			if _, err := conn.ExecContext(b.Context(), "SET threads = 1"); err != nil {
				return err
			}
			for b.Loop() {
				if err := conn.Stream(context.WithoutCancel(b.Context()), query, nil, each); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/113_493, "ns/row")
	}
	b.Run("duckdb", func(b *testing.B) {
		run(b, "SELECT CAST(to_json(f) AS VARCHAR) FROM flights AS f", func(rows result.Rows) error {
			for {
				chunk, err := rows.Next()
				if err != nil || chunk == nil {
					return err
				}
				for i := range chunk.Rows {
					_, _ = io.Discard.Write(chunk.Vectors[0].Bytes(i))
				}
			}
		})
	})
	for _, f := range []struct {
		name    string
		encoder encode.Func
	}{{"json", encode.JSON}, {"ndjson", encode.NDJSON}, {"csv", encode.CSV}, {"arrow", encode.Arrow}, {"parquet", encode.Parquet(r.Parquet)}} {
		b.Run(f.name, func(b *testing.B) {
			run(b, "FROM flights", func(rows result.Rows) error { return encodeAll(f.encoder, columns, rows) })
		})
	}
}

// encodeAll encodes all rows.
func encodeAll(encoder encode.Func, columns []result.Column, rows result.Rows) error {
	typed := make([]encode.Column, len(columns))
	for i, t := range rows.(result.Typed).Types() {
		typed[i] = encode.Column{Name: columns[i].Name, Type: t}
	}
	e, err := encoder(io.Discard, typed)
	if err != nil {
		return err
	}
	if c, ok := e.(io.Closer); ok {
		defer c.Close()
	}
	for {
		chunk, err := rows.Next()
		if err != nil {
			return err
		}
		if chunk == nil {
			return e.End(encode.Meta{})
		}
		if err := e.Rows(chunk, chunk.Rows); err != nil {
			return err
		}
	}
}
