package warehouse_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/warehousetest"
)

// holdFile makes the test binary open the named file and hold it, as another
// process would.
const holdFile = "ESTELA_TEST_HOLD_FILE"

func TestMain(m *testing.M) {
	if path := os.Getenv(holdFile); path != "" {
		os.Exit(hold(path))
	}
	goleak.VerifyTestMain(m)
}

// hold keeps the file open until standard input ends.
func hold(path string) int {
	w, err := warehouse.Open(context.Background(), warehouse.Config{Location: path})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("held")
	io.Copy(io.Discard, os.Stdin)
	if w.Close() != nil {
		return 1
	}
	return 0
}

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
