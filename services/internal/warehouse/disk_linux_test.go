package warehouse_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/warehousetest"
)

// TestDiskFull fills a small disk in the middle of commits, small ones through
// the write-ahead log and row groups that go to the file. Each fails to be tried
// again; when there is room the same commit succeeds, and everything is there
// once.
func TestDiskFull(t *testing.T) {
	t.Parallel()
	for _, staged := range []bool{false, true} {
		for _, size := range []int{500, 122_880} {
			t.Run(fmt.Sprintf("rows=%d staged=%t", size, staged), func(t *testing.T) {
				t.Parallel()
				fillDisk(t, size, staged)
			})
		}
	}
}

func fillDisk(t *testing.T, size int, staged bool) {
	dir := tmpfs(t, "48m")
	w := warehousetest.Open(t, warehouse.Config{Database: database.Config{Location: filepath.Join(dir, "estela.duckdb"), MemoryLimit: "1GB"}, Staged: staged})
	c := warehousetest.Sample(t)
	if err := w.Register(t.Context(), c, "", nil); err != nil {
		t.Fatal(err)
	}
	pos, err := w.TakeOver(t.Context(), c, 0)
	if err != nil {
		t.Fatal(err)
	}
	b := rows(c, size, 0)
	commit := func() error {
		place(b, int(pos.Rows))
		next, err := w.Commit(t.Context(), pos, b.Batch)
		if err == nil {
			pos = next
		}
		return err
	}
	for round := range 2 {
		ballast := fill(t, dir)
		failures := 0
		for deadline := time.Now().Add(time.Minute); failures < 3 && time.Now().Before(deadline); {
			if err := commit(); errors.Is(err, event.ErrFenced) {
				t.Fatalf("round %d: a full disk fenced the owner: %v", round, err)
			} else if err != nil {
				failures++
			}
		}
		if failures == 0 {
			t.Fatal("the disk was never full")
		}
		if round%2 == 1 { // what a checkpoint leaves undone must not be lost either
			t.Logf("checkpoint on a full disk: %v", w.Checkpoint(t.Context()))
			if err := commit(); errors.Is(err, event.ErrFenced) {
				t.Fatalf("a broken instance fenced the owner: %v", err)
			}
		}
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		if err := commit(); err != nil {
			t.Fatalf("round %d, with room again: %v", round, err)
		}
		expectRows(t, w, pos)
	}
	crashed := crashImage(t, dir)
	expectRows(t, warehousetest.Open(t, warehouse.Config{Database: database.Config{Location: filepath.Join(crashed, "estela.duckdb")}}), pos)
}

// expectRows compares the table with the position that the last commit gave.
func expectRows(t *testing.T, w *warehouse.Warehouse, pos event.Position) {
	t.Helper()
	if got := count(t, w, "sample"); int64(got) != pos.Rows {
		t.Fatalf("%d rows, position %+v", got, pos)
	}
	if got := count(t, w, "(SELECT DISTINCT _stream_ms FROM sample)"); int64(got) != pos.Rows {
		t.Fatalf("%d different rows, position %+v", got, pos)
	}
	if all, err := w.Positions(t.Context()); err != nil || len(all) != 1 || all[0] != pos {
		t.Fatalf("positions %+v, %v, want %+v", all, err, pos)
	}
}

// crashImage is what a crash would leave: the files as they are now.
func crashImage(t *testing.T, dir string) string {
	t.Helper()
	image := t.TempDir()
	for _, name := range []string{"estela.duckdb", "estela.duckdb.wal"} {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(image, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return image
}

// place gives the batch's rows the places from that one on.
func place(b warehousetest.Batch, from int) {
	for i := range b.MS {
		b.MS[i] = uint64(from + i)
	}
	b.Last = event.ID{MS: b.MS[len(b.MS)-1]}
}

// tmpfs mounts a small file system in memory. It needs root, which tests have in
// CI.
func tmpfs(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatalf("mount a small disk (run the tests as root): %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill writes a file until nothing fits on the disk.
func fill(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "ballast")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 64<<10)
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if _, err := f.Write(block); err != nil {
			if errors.Is(err, syscall.ENOSPC) {
				return path
			}
			t.Fatal(err)
		}
	}
	t.Fatal("the disk does not fill")
	return ""
}
