package warehouse_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/warehousetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestFile(t *testing.T) {
	t.Parallel()
	warehousetest.Suite(t, func(t *testing.T, hook func(warehouse.Point) error) *warehouse.Warehouse {
		t.Helper()
		return warehousetest.New(t, func(c *warehouse.Config) { c.Hook = hook })
	})
}

// TestStaged runs the suite on the path that MotherDuck takes.
func TestStaged(t *testing.T) {
	t.Parallel()
	warehousetest.Suite(t, func(t *testing.T, hook func(warehouse.Point) error) *warehouse.Warehouse {
		t.Helper()
		return warehousetest.New(t, func(c *warehouse.Config) { c.Hook, c.Staged = hook, true })
	})
}
