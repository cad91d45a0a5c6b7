package warehouse_test

import (
	"bufio"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/warehouse"
	"github.com/estela-dev/estela/services/internal/warehousetest"
)

func TestLockedByAnotherProcess(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "estela.duckdb")
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), holdFile+"="+path)
	in, _ := cmd.StdinPipe()
	out, _ := cmd.StdoutPipe()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "held\n" {
		t.Fatalf("child says %q, %v", line, err)
	}
	_, err := warehouse.Open(t.Context(), warehouse.Config{Location: path})
	var locked *warehouse.LockedError
	if !errors.As(err, &locked) || locked.PID != cmd.Process.Pid || locked.Path != path {
		t.Errorf("got %v", err)
	}
	want := fmt.Sprintf("warehouse %s is open in process %d (%s): stop it, or send the command through it with --data-dir %s",
		path, cmd.Process.Pid, filepath.Base(os.Args[0]), filepath.Dir(path))
	if err == nil || err.Error() != want {
		t.Errorf("\n got %v\nwant %s", err, want)
	}
	if err := errors.Join(in.Close(), cmd.Wait()); err != nil {
		t.Fatal(err)
	}
	warehousetest.Open(t, warehouse.Config{Location: path})
}

func TestReopenKeepsEverything(t *testing.T) {
	t.Parallel()
	cfg := warehouse.Config{Location: filepath.Join(t.TempDir(), "estela.duckdb")}
	c := warehousetest.Sample(t)
	var pos event.Position
	for i := range 3 {
		w, err := warehouse.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Register(t.Context(), c, "", nil); err != nil {
			t.Fatal(err)
		}
		taken, err := w.TakeOver(t.Context(), c, 0)
		if err != nil || taken.Rows != pos.Rows || taken.Last != pos.Last || taken.Epoch != int64(i)+1 {
			t.Fatalf("took over %+v after %+v, %v", taken, pos, err)
		}
		b := rows(c, 10, uint64(i)*100)
		if pos, err = w.Commit(t.Context(), taken, b.Batch); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
	}
	cfg.ReadOnly = true
	w := warehousetest.Open(t, cfg)
	if err := w.Register(t.Context(), c, "", nil); err != nil {
		t.Error(err)
	}
	if got := count(t, w, "sample"); got != 30 {
		t.Errorf("%d rows", got)
	}
	if _, err := w.TakeOver(t.Context(), c, 0); !errors.Is(err, warehouse.ErrReadOnly) {
		t.Errorf("took over read-only: %v", err)
	}
	if err := w.Register(t.Context(), warehousetest.Parse(t, "other", warehousetest.Schema), "", nil); err == nil {
		t.Error("registered a dataset that has no table")
	}
}

func TestReadOnlyNeedsAPreparedFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "estela.duckdb")
	if _, err := warehouse.Open(t.Context(), warehouse.Config{Location: path, ReadOnly: true}); err == nil {
		t.Error("opened a file that is not there")
	}
}

func TestNoOutsideAccess(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	secret := filepath.Join(dir, "secret.csv")
	if err := os.WriteFile(secret, []byte("a\n1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w := warehousetest.New(t)
	for _, statement := range []string{
		"COPY estela.positions TO '" + filepath.Join(dir, "out.csv") + "'",
		"COPY estela.markers FROM '" + secret + "'",
		"ATTACH '" + filepath.Join(dir, "other.duckdb") + "' AS other",
		"EXPORT DATABASE '" + filepath.Join(dir, "export") + "'",
		"CREATE TABLE stolen AS FROM read_csv('" + secret + "')",
		"CREATE TABLE stolen AS FROM '" + secret + "'",
		"CREATE TABLE stolen AS FROM read_text('/etc/passwd')",
		"CREATE TABLE stolen AS FROM glob('/etc/*')",
		"INSTALL httpfs", "LOAD '" + secret + "'",
		"SET enable_external_access = true", "SET lock_configuration = false", "SET memory_limit = '1TB'",
		"RESET enable_external_access", "PRAGMA enable_external_access = true",
	} {
		if err := w.Exec(t.Context(), statement); err == nil {
			t.Errorf("allowed: %s", statement)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestOlderWarehouse opens a file of a program that did not know all of today's columns.
func TestOlderWarehouse(t *testing.T) {
	t.Parallel()
	cfg := warehouse.Config{Location: filepath.Join(t.TempDir(), "old.duckdb")}
	old, err := warehouse.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(old.Exec(t.Context(), "ALTER TABLE warehouse.estela.positions DROP COLUMN added"), old.Close()); err != nil {
		t.Fatal(err)
	}
	w := warehousetest.Open(t, cfg)
	pos, err := w.TakeOver(t.Context(), &contract.Contract{Name: "sample"}, 0)
	if err != nil || pos.Epoch != 1 || pos.Added != -1 {
		t.Errorf("took over %+v, %v", pos, err)
	}
}

// TestSpill makes sure that a query that needs more memory than allowed can
// still use the disk, though files are closed to it.
func TestSpill(t *testing.T) {
	t.Parallel()
	w := warehousetest.New(t, func(c *warehouse.Config) { c.MemoryLimit = "150MB" })
	err := w.Exec(t.Context(), "CREATE TABLE sorted AS SELECT range AS n, md5(range::VARCHAR) AS text FROM range(4000000) ORDER BY text")
	if err != nil {
		t.Error(err)
	}
	if got := count(t, w, "sorted"); got != 4_000_000 {
		t.Errorf("%d rows", got)
	}
}

func TestMotherDuckWithoutExtension(t *testing.T) {
	t.Parallel()
	_, err := warehouse.Open(t.Context(), warehouse.Config{
		Location: "md:flights", Token: "s3cret", ExtensionDirectory: t.TempDir(), ExtensionRepository: "http://127.0.0.1:1",
	})
	if _, ok := errors.AsType[*warehouse.ExtensionError](err); !ok {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"md:flights", "network", "container image", "--warehouse FILE"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if strings.Contains(err.Error(), "s3cret") {
		t.Errorf("%q tells the token", err)
	}
}

func TestMotherDuckWithoutToken(t *testing.T) {
	t.Parallel()
	_, err := warehouse.Open(t.Context(), warehouse.Config{Location: "md:flights"})
	if err == nil || !strings.Contains(err.Error(), "MOTHERDUCK_TOKEN") {
		t.Errorf("got %v", err)
	}
}

func TestMotherDuckAttach(t *testing.T) {
	t.Parallel()
	got := warehouse.RemoteAttach(warehouse.Config{Location: "md:it's", SessionName: "a b&c", Token: "s3cret"})
	want := "ATTACH 'md:it''s?attach_mode=single&saas_mode=true&session_name=a+b%26c' AS warehouse"
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	err := warehouse.Redact(errors.New("Parser Error: SET motherduck_token = 's3cret'"), "s3cret")
	if text := fmt.Sprintf("%v %+v", err, err); strings.Contains(text, "s3cret") || !strings.Contains(text, "***") {
		t.Errorf("got %s", text)
	}
}

// TestDriverVersion fails when the driver leaves the versions that MotherDuck
// takes as clients.
func TestDriverVersion(t *testing.T) {
	t.Parallel()
	if v := warehouse.DuckDBVersion(); !warehouse.MotherDuckTakes(v) {
		t.Errorf("DuckDB %s: MotherDuck takes %s to %s", v, warehouse.MotherDuckMin, warehouse.MotherDuckMax)
	}
	for v, want := range map[string]bool{
		"1.3.9": false, "1.4.0": true, "1.4.10": true, "1.5.6": true, "1.5.7": false, "1.10.0": false, "2.0.0": false, "": false,
	} {
		if got := warehouse.MotherDuckTakes(v); got != want {
			t.Errorf("%q: %t", v, got)
		}
	}
}

// TestRawConnection fails when the driver keeps its connection elsewhere.
func TestRawConnection(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := warehouse.RawConnection(conn)
	if err != nil {
		t.Fatal(err)
	}
	var res mapping.Result
	defer mapping.DestroyResult(&res)
	if mapping.Query(raw, "CREATE TEMP TABLE here AS SELECT 42 AS n", &res) == mapping.StateError {
		t.Fatal(mapping.ResultError(&res))
	}
	var n int
	if err := conn.QueryRowContext(t.Context(), "SELECT n FROM here").Scan(&n); err != nil || n != 42 {
		t.Errorf("the driver's connection and the raw one differ: %d, %v", n, err)
	}
}

func TestCloseTwoHandles(t *testing.T) {
	t.Parallel()
	w := warehousetest.New(t)
	if err := w.Another().Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Positions(t.Context()); err != nil {
		t.Errorf("closing one handle closed the other: %v", err)
	}
}

// rows is a batch of n rows of the sample dataset, a millisecond apart.
func rows(c *contract.Contract, n int, fromMS uint64) warehousetest.Batch {
	b := warehousetest.NewBatch(c, 0)
	for i := range n {
		values := make([]any, len(c.Columns))
		values[0], values[1] = fmt.Sprintf("key-%d-of-some-length", fromMS+uint64(i)), time.UnixMilli(int64(fromMS)+int64(i))
		b.Add(event.ID{MS: fromMS + uint64(i)}, 0, values...)
	}
	return b
}

func count(t *testing.T, w *warehouse.Warehouse, table string) int {
	t.Helper()
	var n int
	err := w.Read(t.Context(), "SELECT count(*) FROM "+table, nil, func(_ time.Time, rows *sql.Rows) error {
		rows.Next()
		return rows.Scan(&n)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
