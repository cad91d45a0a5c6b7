package warehouse_test

import (
	"testing"

	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/warehousetest"
)

// TestIdle makes a checkpoint when the log has grown, and commits go on.
func TestIdle(t *testing.T) {
	t.Parallel()
	w := warehousetest.New(t)
	c := warehousetest.Sample(t)
	if err := w.Register(t.Context(), c, "", nil); err != nil {
		t.Fatal(err)
	}
	pos, err := w.TakeOver(t.Context(), c, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := rows(c, 20_000, 0)
	for i := 0; w.WALSize() < 16<<20; i++ {
		if pos, err = w.Commit(t.Context(), pos, b.Batch); err != nil || i > 1000 {
			t.Fatal(i, err)
		}
	}
	w.Idle(t.Context())
	if size := w.WALSize(); size > 1<<20 {
		t.Errorf("the log has %d bytes after a checkpoint", size)
	}
	if pos, err = w.Commit(t.Context(), pos, b.Batch); err != nil {
		t.Fatal(err)
	}
	if got := count(t, w, "sample"); int64(got) != pos.Rows {
		t.Errorf("%d rows, position %+v", got, pos)
	}
}

func TestClosedWarehouse(t *testing.T) {
	t.Parallel()
	w, err := warehouse.Open(t.Context(), warehouse.Config{Database: database.Config{Location: t.TempDir() + "/estela.duckdb"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Positions(t.Context()); err == nil {
		t.Error("read from a closed warehouse")
	}
}
