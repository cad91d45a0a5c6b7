package warehouse_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/warehousetest"
)

// A warehouse whose tables were made by other rules makes them anew, and the views on
// them; a file with faults changes nothing.
func TestReferenceIsReloaded(t *testing.T) {
	t.Parallel()
	const csv, views = "sku,n\n12E5,1\n1200E3,2\n", "CREATE OR REPLACE VIEW skus AS SELECT sku, n FROM things"
	w, c := warehousetest.New(t), warehousetest.Sample(t)
	register := func(csv string) error {
		return w.Register(t.Context(), c, views, map[string][]byte{"things": []byte(csv)})
	}
	expect := func(want string) {
		t.Helper()
		if err := w.Exec(t.Context(), "SELECT error('differs') WHERE (SELECT string_agg(concat_ws(' ', typeof(sku), sku, typeof(n), n), ', ' ORDER BY n) FROM skus) <> '"+want+"'"); err != nil {
			t.Errorf("%s: %v", want, err)
		}
	}
	if err := register(csv); err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"CREATE OR REPLACE TABLE things AS SELECT 12e5 AS sku, 1 AS n", "CREATE OR REPLACE VIEW skus AS SELECT sku, n FROM things"} {
		if err := w.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	old := sha256.Sum256([]byte(csv))
	oldViews := sha256.Sum256([]byte(c.Version + "\n" + views))
	if err := errors.Join(
		w.SetMarker(t.Context(), "reference table things", hex.EncodeToString(old[:])),
		w.SetMarker(t.Context(), "views of sample", hex.EncodeToString(oldViews[:])),
		register(csv),
	); err != nil {
		t.Fatal(err)
	}
	const text = "VARCHAR 12E5 VARCHAR 1, VARCHAR 1200E3 VARCHAR 2"
	expect(text)
	if err := register("sku,n\n1\n"); err == nil || !strings.Contains(err.Error(), "reference/things.csv: line 2: has 1 fields, the header has 2") {
		t.Error(err)
	}
	expect(text)
	if err := register("sku,n:integer\n12E5,3\n"); err != nil {
		t.Fatal(err)
	}
	expect("VARCHAR 12E5 BIGINT 3")
}
