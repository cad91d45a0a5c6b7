package warehouse_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"

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

// TestReopenInterruptsReads breaks the instance under a long query: the query
// ends with ErrReopening and the next one works.
func TestReopenInterruptsReads(t *testing.T) {
	t.Parallel()
	w := warehousetest.New(t)
	var wg sync.WaitGroup
	wg.Go(func() {
		const long = "SELECT count(*) FROM range(1000000000) a, range(1000000) b WHERE a.range + b.range = 3"
		err := w.Read(t.Context(), long, nil, func(time.Time, *sql.Rows) error { return nil })
		if !errors.Is(err, warehouse.ErrReopening) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
	time.Sleep(200 * time.Millisecond)
	w.Break()
	if err := w.SetMarker(t.Context(), "after", "1"); err != nil {
		t.Error(err)
	}
	wg.Wait()
	if got, err := w.Marker(t.Context(), "after"); got != "1" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestClosedWarehouse(t *testing.T) {
	t.Parallel()
	w, err := warehouse.Open(t.Context(), warehouse.Config{Location: t.TempDir() + "/estela.duckdb"})
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
