// Package warehousetest has helpers for tests with a warehouse on real DuckDB files, and the conformance
// suite of warehouses.
package warehousetest

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/warehouse"
)

// New opens a new warehouse file, which is closed at the end of the test. change may modify its
// configuration.
func New(t testing.TB, change ...func(*warehouse.Config)) *warehouse.Warehouse {
	t.Helper()
	cfg := warehouse.Config{Database: database.Config{Location: filepath.Join(t.TempDir(), "estela.duckdb"), MemoryLimit: "1GB"}}
	for _, c := range change {
		c(&cfg)
	}
	return Open(t, cfg)
}

// Open opens a warehouse that is closed at the end of the test.
func Open(t testing.TB, cfg warehouse.Config) *warehouse.Warehouse {
	t.Helper()
	w, err := warehouse.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// Another returns a second writer on w's database, which is closed at the end of the test.
func Another(t testing.TB, w *warehouse.Warehouse) *warehouse.Warehouse {
	t.Helper()
	other := w.Another()
	t.Cleanup(func() {
		if err := other.Close(); err != nil {
			t.Error(err)
		}
	})
	return other
}

// Faults injects faults at points of commits, by its Hook.
type Faults struct {
	mu   sync.Mutex
	next map[warehouse.Point]func() error
}

// At runs fn once, the next time that a commit reaches the point.
func (f *Faults) At(p warehouse.Point, fn func() error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.next == nil {
		f.next = map[warehouse.Point]func() error{}
	}
	f.next[p] = fn
}

// Hook is called by the warehouse.
func (f *Faults) Hook(p warehouse.Point) error {
	f.mu.Lock()
	fn := f.next[p]
	delete(f.next, p)
	f.mu.Unlock()
	if fn == nil {
		return nil
	}
	return fn()
}

// Schema is the contract of Sample: a property of every type.
const Schema = `{
	"type": "object",
	"x-estela": {"key": "id", "time": "at", "dedupe": "1h"},
	"required": ["id", "at"],
	"additionalProperties": false,
	"properties": {
		"id": {"type": "string"},
		"at": {"type": "string", "format": "date-time"},
		"name": {"type": "string"},
		"extra": {"type": "object"},
		"flag": {"type": "boolean"},
		"tiny": {"type": "integer", "minimum": -100, "maximum": 100},
		"small": {"type": "integer", "minimum": -30000, "maximum": 30000},
		"medium": {"type": "integer", "minimum": -2000000000, "maximum": 2000000000},
		"big": {"type": "integer"},
		"ratio": {"type": "number"},
		"day": {"type": "string", "format": "date"},
		"ref": {"type": "string", "format": "uuid"}
	}
}`

// Parse compiles a contract.
func Parse(t testing.TB, name, schema string) *contract.Contract {
	t.Helper()
	c, err := contract.Parse(name, name+".json", []byte(schema))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Sample is the dataset of the suite.
func Sample(t testing.TB) *contract.Contract {
	t.Helper()
	return Parse(t, "sample", Schema)
}
