package database_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/result"
)

// export writes a query's rows as Parquet to w, up to `most` of each chunk.
func export(t *testing.T, w io.Writer, query string, most int) error {
	t.Helper()
	return exportFrom(t, open(t, database.Config{}), w, query, most)
}

// exported returns the file of a query's rows, and a DuckDB to read it with.
func exported(t *testing.T, query string, most int) (db *sql.DB, file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "a.parquet")
	var text bytes.Buffer
	if err := export(t, &text, query, most); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db, file
}

func exportFrom(t *testing.T, d *database.DB, w io.Writer, query string, most int) error {
	t.Helper()
	return d.Read(t.Context(), func(ctx context.Context, conn *database.Conn) error {
		return conn.Stream(ctx, query, nil, func(rows result.Rows) error {
			var columns []result.Field
			for i, t := range rows.(result.Typed).Types() {
				columns = append(columns, result.Field{Name: fmt.Sprintf(`c"%d`, i), Type: t})
			}
			p, err := d.Parquet.Writer(w, columns, map[string]string{`it's "x"`: "a'b\""})
			if err != nil {
				return err
			}
			defer p.Close()
			for {
				chunk, err := rows.Next()
				if err != nil {
					return err
				}
				if chunk == nil {
					return p.Finish()
				}
				if err := p.Write(chunk.Vectors, min(most, chunk.Rows)); err != nil {
					return err
				}
			}
		})
	})
}

// Rows of every layout come back the same and in their order, over row groups and chunks that are cut.
func TestParquetWriter(t *testing.T) {
	t.Parallel()
	const query = `SELECT range AS n, 'text of a row, number ' || nullif(range %% 7, 3) AS t, nullif(range %% 3, 1) = 0 AS b,
		TIMESTAMP_S '2001-01-31 12:00:00' + INTERVAL (range) SECOND AS s, (range / 8)::DECIMAL(18, 3) AS d,
		CASE WHEN range %% 5 > 0 THEN [range, NULL, range + 1][:(range %% 4)::INTEGER] END AS l, [[], ['x' || range], NULL] AS ll,
		CASE WHEN range %% 4 > 0 THEN {'a': nullif(range %% 2, 0), 'b': [{'c': md5(range::VARCHAR)}]} END AS st,
		CASE WHEN range %% 6 > 0 THEN MAP {range: 'y' || range, range + 1: NULL} END AS m
		FROM range(%s) WHERE range %% 2048 < %d`
	for _, most := range []int{2048, 300} {
		db, file := exported(t, fmt.Sprintf(query, "70000", 2048), most)
		var rows, misplaced, different int
		var metadata string
		want := fmt.Sprintf(query, "70000", most)
		err := db.QueryRowContext(t.Context(), `SELECT count(*), count(*) FILTER ("c""0" <> file_row_number // $most * 2048 + file_row_number % $most) FROM read_parquet('`+file+`', file_row_number = true)`,
			sql.Named("most", most)).Scan(&rows, &misplaced)
		err = errors.Join(err, db.QueryRowContext(t.Context(), "SELECT count(*) FROM ((FROM '"+file+"' EXCEPT ALL ("+want+")) UNION ALL (("+want+") EXCEPT ALL FROM '"+file+"'))").Scan(&different))
		err = errors.Join(err, db.QueryRowContext(t.Context(), "SELECT string_agg(decode(key) || '=' || decode(value)) FROM parquet_kv_metadata('"+file+"')").Scan(&metadata))
		if err != nil || rows < 10_000 || misplaced+different > 0 || metadata != `it's "x"=a'b"` {
			t.Errorf("up to %d rows a chunk: %v: %d rows, %d in another place, %d differ; metadata %s", most, err, rows, misplaced, different, metadata)
		}
	}
}

// refusing takes some bytes.
type refusing struct {
	left int
	err  error
}

func (r *refusing) Write(p []byte) (int, error) {
	if r.left -= len(p); r.left < 0 {
		return 0, r.err
	}
	return len(p), nil
}

// A writer that takes no more ends the file with its error; rows that nobody waits for any more do, too.
func TestParquetWriterFails(t *testing.T) {
	t.Parallel()
	const endless = "SELECT md5(range::VARCHAR) FROM range(1000000000)"
	for _, left := range []int{0, 1 << 20} {
		full := errors.New("full")
		if err := export(t, &refusing{left, full}, endless, 2048); !errors.Is(err, full) {
			t.Errorf("after %d bytes: %v", left, err)
		}
	}
	var after bytes.Buffer
	if err := export(t, &after, "SELECT CASE WHEN range = 100000 THEN error('stop') ELSE md5(range::VARCHAR) END FROM range(200000)", 2048); err == nil {
		t.Error("the query's error was lost")
	}
	if n := after.Len(); bytes.HasSuffix(after.Bytes(), []byte("PAR1")) && n > 4 {
		t.Errorf("the file was finished, with %d bytes", n)
	}
}

// Values that fill the limit of the instance many times over in one chunk are written in parts, also for all read
// connections at once.
func TestParquetOfLargeValues(t *testing.T) {
	t.Parallel()
	d := open(t, database.Config{})
	for _, query := range []string{
		"SELECT repeat(md5(range::VARCHAR), 3000) FROM range(2048)",
		"SELECT range(10000) FROM range(2048)", // to reserve all of them ended the process
	} {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if err := exportFrom(t, d, io.Discard, query, 2048); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
	}
}

// Parts that begin anywhere have the values and the NULLs of their rows.
func TestParquetInParts(t *testing.T) {
	t.Parallel()
	const query = `SELECT range AS n, CASE WHEN range % 3 > 0 THEN repeat('x' || range, (range * 7919 % 30000)::INTEGER) END AS a,
		CASE WHEN range % 5 > 0 THEN [range, NULL, range + 1][:(range % 4)::INTEGER] END AS l,
		CASE WHEN range % 7 > 0 THEN {'a': nullif(range % 2, 0), 'b': CASE WHEN range % 2 = 0 THEN [repeat('y', (range % 50000)::INTEGER)] END} END AS s
		FROM range(3000)`
	db, file := exported(t, query, 2048)
	var rows, different int
	err := db.QueryRowContext(t.Context(), "SELECT (SELECT count(*) FROM '"+file+"'), count(*) FROM ((FROM '"+file+"') EXCEPT ALL ("+query+"))").Scan(&rows, &different)
	if err != nil || rows != 3000 || different > 0 {
		t.Errorf("%v: %d rows, %d differ", err, rows, different)
	}
}
