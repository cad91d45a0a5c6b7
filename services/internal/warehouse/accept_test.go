package warehouse_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/warehousetest"
)

// TestAccept takes a contract that breaks the stored one, but not where rows are laid out by
// it, and not under the name of a column that an earlier contract has left.
func TestAccept(t *testing.T) {
	t.Parallel()
	w := warehousetest.New(t)
	change := func(from ...string) string { return strings.NewReplacer(from...).Replace(warehousetest.Schema) }
	removed := change(`"name": {"type": "string"},`, ``, `"dedupe"`, `"shards": 4, "dedupe"`)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	refused := func(schema, pointer string) {
		t.Helper()
		err := w.Accept(t.Context(), warehousetest.Parse(t, "sample", schema), "", nil)
		var refusal *warehouse.RefusedError
		if !errors.As(err, &refusal) || refusal.Changes[len(refusal.Changes)-1].Pointer != pointer || !strings.Contains(err.Error(), "new name") {
			t.Errorf("%v, want a refusal of %s", err, pointer)
		}
	}
	sample := warehousetest.Sample(t)
	must(w.Register(t.Context(), sample, "", nil))
	pos, err := w.TakeOver(t.Context(), sample, 0)
	must(err)
	_, err = w.Commit(t.Context(), pos, rows(sample, 1, 1).Batch) // before that it binds nobody
	must(err)
	refused(change(`"ratio": {"type": "number"}`, `"ratio": {"type": "string"}`), "/properties/ratio")
	refused(change(`"key": "id"`, `"key": "ref"`, `["id", "at"]`, `["id", "at", "ref"]`), "/properties/ref")
	c := warehousetest.Parse(t, "sample", removed)
	err = w.Register(t.Context(), c, "", nil)
	if err == nil || !strings.Contains(err.Error(), "estela contract accept sample") {
		t.Errorf("register: %v", err)
	}
	must(w.Accept(t.Context(), c, "", nil))
	must(w.Register(t.Context(), c, "", nil))
	known, err := w.Registered(t.Context())
	must(err)
	if len(known) != 1 || known[0].Schema != removed || len(known[0].Versions) != 2 || !slices.Contains(known[0].Versions, c.Version) {
		t.Errorf("registered: %+v", known)
	}
	refused(strings.Replace(removed, `"ref":`, `"name": {"type": "integer"}, "ref":`, 1), "/properties/name")
	must(w.Register(t.Context(), warehousetest.Parse(t, "sample", strings.Replace(removed, `"ref":`, `"name": {"type": "string"}, "ref":`, 1)), "", nil))
}
