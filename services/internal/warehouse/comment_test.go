package warehouse_test

import (
	"database/sql"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/warehousetest"
)

// The contract's texts are the comments of the table and its columns, follow a change of the
// contract, and are replaced only then.
func TestComments(t *testing.T) {
	t.Parallel()
	cfg := warehouse.Config{Database: database.Config{Location: filepath.Join(t.TempDir(), "estela.duckdb")}}
	const about, small, name = `"type": "object",`, `"small": {"type": "integer",`, `"name": {"type": "string"}`
	first := strings.NewReplacer(
		about, `"type": "object", "description": "Samples; it's \"one\".",`,
		small, `"small": {"type": "integer", "title": "Wait", "description": "How long it took; 'about'.", "examples": [-7, 12], "x-estela": {"unit": "minutes"},`,
	).Replace(warehousetest.Schema)
	for i, step := range []struct {
		schema string
		want   map[string]string
	}{
		{warehousetest.Schema, map[string]string{}},
		{first, map[string]string{"": `Samples; it's "one".`, "small": "Wait\nHow long it took; 'about'.\nUnit: minutes\nExamples: -7, 12"}},
		{first, map[string]string{"": `Samples; it's "one".`, "small": "Wait\nHow long it took; 'about'.\nUnit: minutes\nExamples: -7, 12"}},
		{
			strings.NewReplacer(small, `"small": {"type": "integer", "x-estela": {"unit": "s"},`, name, name+`, "more": {"type": "string", "description": "New."}`).Replace(warehousetest.Schema),
			map[string]string{"small": "Unit: s", "more": "New."},
		},
	} {
		w, err := warehouse.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		c := warehousetest.Parse(t, "sample", step.schema)
		if err := w.Register(t.Context(), c, "", nil); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		if i == 2 { // as another hand may leave it
			if err := w.Exec(t.Context(), "COMMENT ON COLUMN warehouse.main.sample.small IS 'other'"); err != nil {
				t.Fatal(err)
			}
			if err := w.Register(t.Context(), c, "", nil); err != nil {
				t.Fatal(err)
			}
		}
		if got := comments(t, w); !maps.Equal(got, step.want) {
			t.Errorf("%d: %q, want %q", i, got, step.want)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// Comments are read back as anybody would, by SQL.
func comments(t *testing.T, w *warehouse.Warehouse) map[string]string {
	t.Helper()
	found := map[string]string{}
	const query = `SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'sample' AND comment IS NOT NULL
		UNION ALL SELECT '', comment FROM duckdb_tables() WHERE table_name = 'sample' AND comment IS NOT NULL`
	err := w.Read(t.Context(), query, nil, func(_ time.Time, rows *sql.Rows) error {
		for rows.Next() {
			var name, text string
			if err := rows.Scan(&name, &text); err != nil {
				return err
			}
			found[name] = text
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}
