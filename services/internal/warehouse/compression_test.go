package warehouse_test

import (
	"database/sql"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/warehousetest"
)

const logSchema = `{"type": "object", "description": "A log.", "x-estela": {"key": "id", "dedupe": "24h"}, "required": ["id"], "properties": {
	"id": {"type": "string", "description": "Names it."}, "level": {"type": "string"}, "text": {"type": "string"},
	"rare": {"type": "string"}, "more": {"type": "object"}, "n": {"type": "integer"}}}`

// logRow is a row whose id, text and more are unique, with texts of all lengths; rare is mostly NULL.
func logRow(i int) []any {
	var rare any
	if i%10 == 0 {
		rare = fmt.Sprint("rare ", i)
	}
	text := strings.Repeat("é", i%100) + fmt.Sprint(i)
	if i%5000 == 1 {
		text = strings.Repeat(text, 50_000)
	}
	return []any{fmt.Sprint("id ", i), []string{"info", "error"}[i%2], text, rare, fmt.Sprintf(`{"a": %d}`, i), i}
}

func logRows(c *contract.Contract, from, n int) *contract.Batch {
	b := warehousetest.NewBatch(c, 0)
	for i := from; i < from+n; i++ {
		b.Add(event.ID{MS: uint64(1000 + i)}, 0, logRow(i)...)
	}
	return b.Batch
}

// readTexts reads the first column of a query's result.
func readTexts(t *testing.T, w *warehouse.Warehouse, query string) (all []string) {
	t.Helper()
	err := w.Read(t.Context(), query, nil, func(_ time.Time, rows *sql.Rows) error {
		for rows.Next() {
			var text string
			if err := rows.Scan(&text); err != nil {
				return err
			}
			all = append(all, text)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return all
}

const compressed = `SELECT DISTINCT column_name FROM pragma_storage_info('log') WHERE compression = 'ZSTD' ORDER BY 1`

// TestCompression stores a table in parts, so that its columns are compressed otherwise on the way, while it is
// read. Nothing else changes: rows and their order, comments, views, lookups, and a reopened file.
func TestCompression(t *testing.T) {
	t.Parallel()
	cfg := warehouse.Config{Database: database.Config{Location: filepath.Join(t.TempDir(), "estela.duckdb")}}
	w := warehousetest.Open(t, cfg)
	c := warehousetest.Parse(t, "log", logSchema)
	if err := w.Register(t.Context(), c, "CREATE OR REPLACE VIEW errors AS SELECT * FROM log WHERE level = 'error'", nil); err != nil {
		t.Fatal(err)
	}
	before := commentsOfLog(t, w)
	pos, err := w.TakeOver(t.Context(), c, 0)
	if err != nil {
		t.Fatal(err)
	}
	const part, parts = 4000, 5
	var readers sync.WaitGroup
	stop := make(chan struct{})
	readers.Go(func() {
		for stopped := false; !stopped; {
			select {
			case <-stop:
				stopped = true
			default:
			}
			if n := readTexts(t, w, "SELECT count(*) % 4000 || ' ' || count(DISTINCT id) - count(*) FROM (SELECT id FROM errors UNION ALL SELECT id FROM log WHERE level = 'info')"); len(n) != 1 || n[0] != "0 0" {
				t.Errorf("a reader saw %q", n)
				return
			}
		}
	})
	for i := range parts {
		if pos, err = w.Commit(t.Context(), pos, logRows(c, i*part, part)); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	readers.Wait()
	check := func() {
		t.Helper()
		got := readTexts(t, w, "SELECT concat_ws(' ', id || level || text || coalesce(rare, '<nil>') || more, n) FROM log")
		if len(got) != part*parts {
			t.Fatalf("%d rows", len(got))
		}
		for i, row := range got {
			if row != fmt.Sprintf("%v%v%v%v%v %v", logRow(i)...) {
				t.Fatalf("row %d is %.100q", i, row)
			}
		}
		if after := commentsOfLog(t, w); !maps.Equal(before, after) || len(after) != 2 {
			t.Errorf("comments %q, before %q", after, before)
		}
		found, err := w.Lookup(t.Context(), logRows(c, 11_000, 2), []event.Candidate{{Row: 0, FromMS: 0, ToMS: 12_500}, {Row: 1, FromMS: 0, ToMS: 10}})
		if err != nil || len(found.Stored) != 2 {
			t.Errorf("found %+v, %v", found, err)
		}
	}
	check()
	if err := w.Exec(t.Context(), "CHECKPOINT"); err != nil {
		t.Fatal(err)
	}
	check()
	if got := readTexts(t, w, compressed); fmt.Sprint(got) != "[id more text]" {
		t.Errorf("compressed with zstd: %q", got)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if w, err = warehouse.Open(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	check()
}

func commentsOfLog(t *testing.T, w *warehouse.Warehouse) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, text := range readTexts(t, w, "SELECT column_name || '=' || comment FROM duckdb_columns() WHERE comment IS NOT NULL UNION ALL SELECT table_name || '=' || comment FROM duckdb_tables() WHERE comment IS NOT NULL") {
		name, value, _ := strings.Cut(text, "=")
		found[name] = value
	}
	return found
}

// TestCompressionOfOlderTable: a table that is too large to be written again keeps its compression, and goes on.
func TestCompressionOfOlderTable(t *testing.T) {
	t.Parallel()
	w := warehousetest.New(t)
	c := warehousetest.Parse(t, "log", logSchema)
	if err := w.Register(t.Context(), c, "", nil); err != nil {
		t.Fatal(err)
	}
	pos, err := w.TakeOver(t.Context(), c, 0)
	if err != nil {
		t.Fatal(err)
	}
	if pos, err = w.Commit(t.Context(), pos, logRows(c, 0, 10_000)); err != nil {
		t.Fatal(err)
	}
	if err := w.Exec(t.Context(), "INSERT INTO log (id, _shard, _stream_ms) SELECT 'more ' || range, 0, range FROM range(1000000)"); err != nil {
		t.Fatal(err)
	}
	if pos, err = w.Commit(t.Context(), pos, logRows(c, 10_000, 10)); err != nil {
		t.Fatal(err)
	}
	if got := readTexts(t, w, "SELECT value FROM estela.markers WHERE name = 'compression of log'"); fmt.Sprint(got) != "[zstd: ]" {
		t.Errorf("decided %q", got)
	}
	if got := readTexts(t, w, "SELECT count(*)::VARCHAR FROM log"); got[0] != "1010010" || pos.Rows != 10_010 {
		t.Errorf("%s rows, position %+v", got[0], pos)
	}
}
