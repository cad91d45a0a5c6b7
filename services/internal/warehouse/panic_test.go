package warehouse_test

import (
	"path/filepath"
	"testing"

	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/result"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

// TestPanicEndsTheTransaction: who reads next is given the connection of a reader that panicked.
func TestPanicEndsTheTransaction(t *testing.T) {
	t.Parallel()
	w, err := warehouse.Open(t.Context(), warehouse.Config{Database: database.Config{Location: filepath.Join(t.TempDir(), "estela.duckdb")}})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for range 10 {
		func() {
			defer func() { _ = recover() }()
			_ = w.Stream(t.Context(), "SELECT 1", nil, func(result.Snapshot, result.Rows) error { panic("reader") })
		}()
		if err := w.Stream(t.Context(), "SELECT 1", nil, func(result.Snapshot, result.Rows) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
}
