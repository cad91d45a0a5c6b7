package database_test

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/duckdb/duckdb-go/v2/mapping"
	"go.uber.org/goleak"

	"github.com/estela-dev/estela/services/internal/database"
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

// hold has the file open until standard input ends.
func hold(path string) int {
	d, err := database.Open(context.Background(), database.Config{Location: path}, nothing)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("held")
	io.Copy(io.Discard, os.Stdin)
	if d.Close() != nil {
		return 1
	}
	return 0
}

// nothing is what a database without tables needs.
func nothing(context.Context, *database.Conn) error { return nil }

// open opens a database, a new file by default, that is closed at the end of the test.
func open(t *testing.T, cfg database.Config) *database.DB {
	t.Helper()
	if cfg.Location == "" {
		cfg.Location = filepath.Join(t.TempDir(), "estela.duckdb")
	}
	d, err := database.Open(t.Context(), cfg, nothing)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

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
	_, err := database.Open(t.Context(), database.Config{Location: path}, nothing)
	var locked *database.LockedError
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
	open(t, database.Config{Location: path})
}

func TestMotherDuckWithoutExtension(t *testing.T) {
	t.Parallel()
	_, err := database.Open(t.Context(), database.Config{
		Location: "md:flights", Token: "s3cret", ExtensionDirectory: t.TempDir(), ExtensionRepository: "http://127.0.0.1:1",
	}, nothing)
	if _, ok := errors.AsType[*database.ExtensionError](err); !ok {
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
	_, err := database.Open(t.Context(), database.Config{Location: "md:flights"}, nothing)
	if err == nil || !strings.Contains(err.Error(), "MOTHERDUCK_TOKEN") {
		t.Errorf("got %v", err)
	}
}

func TestMotherDuckAttach(t *testing.T) {
	t.Parallel()
	got := database.RemoteAttach(database.Config{Location: "md:it's", SessionName: "a b&c", Token: "s3cret"})
	want := "ATTACH 'md:it''s?attach_mode=single&saas_mode=true&session_name=a+b%26c' AS warehouse"
	if got != want {
		t.Errorf("\n got %s\nwant %s", got, want)
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	err := database.Redact(errors.New("Parser Error: SET motherduck_token = 's3cret'"), "s3cret")
	if text := fmt.Sprintf("%v %+v", err, err); strings.Contains(text, "s3cret") || !strings.Contains(text, "***") {
		t.Errorf("got %s", text)
	}
}

// TestDriverVersion fails when the driver leaves the versions that MotherDuck
// takes as clients.
func TestDriverVersion(t *testing.T) {
	t.Parallel()
	if v := database.Version(); !database.MotherDuckTakes(v) {
		t.Errorf("DuckDB %s: MotherDuck takes %s to %s", v, database.MotherDuckMin, database.MotherDuckMax)
	}
	for v, want := range map[string]bool{
		"1.3.9": false, "1.4.0": true, "1.4.10": true, "1.5.6": true, "1.5.7": false, "1.10.0": false, "2.0.0": false, "": false,
	} {
		if got := database.MotherDuckTakes(v); got != want {
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
	raw, err := database.NewConn(conn)
	if err != nil {
		t.Fatal(err)
	}
	var res mapping.Result
	defer mapping.DestroyResult(&res)
	if mapping.Query(raw.Duck(), "CREATE TEMP TABLE here AS SELECT 42 AS n", &res) == mapping.StateError {
		t.Fatal(mapping.ResultError(&res))
	}
	var n int
	if err := conn.QueryRowContext(t.Context(), "SELECT n FROM here").Scan(&n); err != nil || n != 42 {
		t.Errorf("the driver's connection and the raw one differ: %d, %v", n, err)
	}
}

// TestReopenInterruptsReads breaks the instance under a long query: the query
// ends with ErrReopening and the next one works.
func TestReopenInterruptsReads(t *testing.T) {
	t.Parallel()
	d := open(t, database.Config{})
	var wg sync.WaitGroup
	wg.Go(func() {
		const long = "SELECT count(*) FROM range(1000000000) a, range(1000000) b WHERE a.range + b.range = 3"
		err := d.Read(t.Context(), func(ctx context.Context, conn *database.Conn) error {
			return database.ExecAll(ctx, conn, long)
		})
		if !errors.Is(err, database.ErrReopening) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v", err)
		}
	})
	time.Sleep(200 * time.Millisecond)
	d.Break()
	err := d.Session().Do(t.Context(), func(ctx context.Context, conn *database.Conn) error {
		return database.ExecAll(ctx, conn, "CREATE TABLE after AS SELECT '1' AS value")
	})
	if err != nil {
		t.Error(err)
	}
	wg.Wait()
	err = d.Read(t.Context(), func(ctx context.Context, conn *database.Conn) error {
		var got string
		err := conn.QueryRowContext(ctx, "SELECT value FROM after").Scan(&got)
		if got != "1" {
			t.Errorf("got %q", got)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
