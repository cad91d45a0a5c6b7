package warehouse_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/warehousetest"
)

func TestReopenKeepsEverything(t *testing.T) {
	t.Parallel()
	cfg := warehouse.Config{Database: database.Config{Location: filepath.Join(t.TempDir(), "estela.duckdb")}}
	c := warehousetest.Sample(t)
	var pos event.Position
	for i := range 3 {
		w, err := warehouse.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Register(t.Context(), c, "", nil); err != nil {
			t.Fatal(err)
		}
		taken, err := w.TakeOver(t.Context(), c, 0)
		if err != nil || taken.Rows != pos.Rows || taken.Last != pos.Last || taken.Epoch != int64(i)+1 {
			t.Fatalf("took over %+v after %+v, %v", taken, pos, err)
		}
		b := rows(c, 10, uint64(i)*100)
		if pos, err = w.Commit(t.Context(), taken, b.Batch); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	cfg.Database.ReadOnly = true
	w := warehousetest.Open(t, cfg)
	if err := w.Register(t.Context(), c, "", nil); err != nil {
		t.Error(err)
	}
	if got := count(t, w, "sample"); got != 30 {
		t.Errorf("%d rows", got)
	}
	if _, err := w.TakeOver(t.Context(), c, 0); !errors.Is(err, warehouse.ErrReadOnly) {
		t.Errorf("took over read-only: %v", err)
	}
	if err := w.Register(t.Context(), warehousetest.Parse(t, "other", warehousetest.Schema), "", nil); err == nil {
		t.Error("registered a dataset that has no table")
	}
}

func TestReadOnlyNeedsAPreparedFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "estela.duckdb")
	if _, err := warehouse.Open(t.Context(), warehouse.Config{Database: database.Config{Location: path, ReadOnly: true}}); err == nil {
		t.Error("opened a file that is not there")
	}
}

func TestNoOutsideAccess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret.csv")
	if err := os.WriteFile(secret, []byte("a\n1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := warehousetest.New(t)
	for _, statement := range []string{
		"COPY estela.positions TO '" + filepath.Join(dir, "out.csv") + "'",
		"COPY estela.markers FROM '" + secret + "'",
		"ATTACH '" + filepath.Join(dir, "other.duckdb") + "' AS other",
		"EXPORT DATABASE '" + filepath.Join(dir, "export") + "'",
		"CREATE TABLE stolen AS FROM read_csv('" + secret + "')",
		"CREATE TABLE stolen AS FROM '" + secret + "'",
		"CREATE TABLE stolen AS FROM read_text('/etc/passwd')",
		"CREATE TABLE stolen AS FROM glob('/etc/*')",
		"INSTALL httpfs", "LOAD '" + secret + "'",
		"SET enable_external_access = true", "SET lock_configuration = false", "SET memory_limit = '1TB'",
		"RESET enable_external_access", "PRAGMA enable_external_access = true",
	} {
		if err := w.Exec(t.Context(), statement); err == nil {
			t.Errorf("allowed: %s", statement)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestOlderWarehouse opens a file of a program that did not know all of today's columns.
func TestOlderWarehouse(t *testing.T) {
	t.Parallel()
	cfg := warehouse.Config{Database: database.Config{Location: filepath.Join(t.TempDir(), "old.duckdb")}}
	old, err := warehouse.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(old.Exec(t.Context(), "ALTER TABLE warehouse.estela.positions DROP COLUMN added"), old.Close()); err != nil {
		t.Fatal(err)
	}
	w := warehousetest.Open(t, cfg)
	pos, err := w.TakeOver(t.Context(), &contract.Contract{Name: "sample"}, 0)
	if err != nil || pos.Epoch != 1 || pos.Added != -1 {
		t.Errorf("took over %+v, %v", pos, err)
	}
}

// TestSpill makes sure that a query that needs more memory than allowed can
// still use the disk, though files are closed to it.
func TestSpill(t *testing.T) {
	t.Parallel()
	w := warehousetest.New(t, func(c *warehouse.Config) { c.Database.MemoryLimit = "150MB" })
	err := w.Exec(t.Context(), "CREATE TABLE sorted AS SELECT range AS n, md5(range::VARCHAR) AS text FROM range(4000000) ORDER BY text")
	if err != nil {
		t.Error(err)
	}
	if got := count(t, w, "sorted"); got != 4_000_000 {
		t.Errorf("%d rows", got)
	}
}

func TestCloseTwoHandles(t *testing.T) {
	t.Parallel()
	w := warehousetest.New(t)
	if err := w.Another().Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Positions(t.Context()); err != nil {
		t.Errorf("closing one handle closed the other: %v", err)
	}
}

// rows is a batch of n rows of the sample dataset, a millisecond apart.
func rows(c *contract.Contract, n int, fromMS uint64) warehousetest.Batch {
	b := warehousetest.NewBatch(c, 0)
	for i := range n {
		values := make([]any, len(c.Columns))
		values[0], values[1] = fmt.Sprintf("key-%d-of-some-length", fromMS+uint64(i)), time.UnixMilli(int64(fromMS)+int64(i))
		b.Add(event.ID{MS: fromMS + uint64(i)}, 0, values...)
	}
	return b
}

func count(t *testing.T, w *warehouse.Warehouse, table string) int {
	t.Helper()
	var n int
	err := w.Read(t.Context(), "SELECT count(*) FROM "+table, nil, func(_ time.Time, rows *sql.Rows) error {
		rows.Next()
		return rows.Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
