package api_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/memory"
)

// hostile are endpoints that the check must reject, by kind: each alone needs more memory than
// the process of TestHostileEndpoints may use.
var hostile = map[string]string{
	"range":   "-- param: n integer example=1 -- n\nSELECT len(range($n)) AS n",
	"folded":  "SELECT len(range(2000000000)) AS n",
	"repeat":  "SELECT len(repeat('x', 4000000000)) AS n",
	"pad":     "SELECT len(lpad('x', 4000000000, 'y')) AS n",
	"resize":  "SELECT len(list_resize([1], 2000000000)) AS n",
	"printf":  "SELECT len(printf('%2000000000d', 1)) AS n",
	"replace": "SELECT len(replace(repeat('a', 4000000), 'a', repeat('b', 1000))) AS n",
	"top":     "SELECT approx_top_k(n, 900000) AS t FROM things GROUP BY n",
}

// allowed pass, as far as their parameters go, and together must not bring it down.
var allowed = map[string]string{
	"sized":    "-- param: n integer minimum=0 maximum=1000000 default=1000000 -- n\nSELECT len(range($n)) AS n",
	"perrow":   "SELECT max(len(repeat(CAST(n AS VARCHAR), 100))) AS n FROM things",
	"gathered": "SELECT count(*) AS n FROM (SELECT range // 1000 AS k, list(range) AS l FROM range(1000000000) GROUP BY 1)",
	"joined":   "SELECT sum(hash(l)) AS n FROM (SELECT list(a.n || ' ' || b.n) AS l FROM things a, things b GROUP BY a.n)",
	"sorted":   "SELECT count(*) AS n FROM (SELECT range FROM range(1000000000) ORDER BY hash(range) LIMIT 900000000)",
	"rounds":   "WITH RECURSIVE r AS (SELECT 'x' AS s UNION ALL SELECT r.s || 'yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy' FROM r) SELECT max(len(s)) AS n FROM r",
}

const (
	underLimit = "ESTELA_TEST_UNDER_LIMIT"
	// room is how much more memory the process may use than at its start, ease from when on its
	// watch cancels queries.
	room, ease = 2500 << 20, 500 << 20
)

// A process with a hard memory limit survives every kind of hostile endpoint and goes on working.
func TestHostileEndpoints(t *testing.T) {
	t.Parallel()
	if os.Getenv(underLimit) != "" {
		serveHostile(t)
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestHostileEndpoints$", "-test.v")
	cmd.Env = append(os.Environ(), underLimit+"=1")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !bytes.Contains(out, []byte("outlived all")) {
		t.Fatalf("%s", out)
	}
	t.Logf("%s", out)
}

func serveHostile(t *testing.T) {
	data := dataSegment(t)
	if err := syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: data + room, Max: data + room}); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for name, text := range allowed {
		files[name] = "-- A.\n-- limit: time=4s\n" + text
	}
	// DuckDB's own limit is not under test.
	i := setup(t, "SET memory_limit = '20GB'; SET threads = 2; CREATE TABLE things AS SELECT range AS n FROM range(20000)", files, func(cfg *api.Config) {
		cfg.Memory = &memory.Watch{Limit: memory.Resident() + ease}
	})
	rows, stop := store(t, i)
	defer stop()
	for name, text := range hostile {
		before, start := rows.Load(), time.Now()
		e, err := endpoint.Load(fstest.MapFS{"test/" + name + ".sql": {Data: []byte("-- A.\n" + text)}}, "test")
		if err != nil {
			t.Fatal(err)
		}
		err = i.api.Load(t.Context(), []endpoint.Dataset{{Name: "test", Endpoints: e, Tables: []string{"things"}}})
		if err == nil || !strings.Contains(err.Error(), "test/"+name+".sql:") {
			t.Errorf("%s: %v", name, err)
		}
		t.Logf("%s: refused after %s, %d MB resident", name, time.Since(start).Round(time.Millisecond), memory.Resident()>>20)
		grows(t, name, rows, before)
	}
	for name := range allowed {
		before, start := rows.Load(), time.Now()
		r := i.get(t, "/v1/test/"+name)
		if r.status != http.StatusOK && r.Type != "/docs/problems/memory-pressure" && r.Type != "/docs/problems/query-timeout" {
			t.Errorf("%s: %s\n%s", name, r.text, i.log)
		}
		t.Logf("%s: %d %s after %s, %d MB resident", name, r.status, r.Type, time.Since(start).Round(time.Millisecond), memory.Resident()>>20)
		grows(t, name, rows, before)
	}
	fmt.Println("outlived all")
}

// store writes rows, like a worker, until it is stopped.
func store(t *testing.T, i instance) (rows *atomic.Int64, stop func()) {
	t.Helper()
	rows = &atomic.Int64{}
	end, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-end:
				return
			case <-time.After(5 * time.Millisecond):
			}
			if _, err := i.db.Exec("INSERT INTO commits VALUES (now())"); err != nil {
				t.Errorf("store: %v", err)
				return
			}
			rows.Add(1)
		}
	}()
	return rows, func() { close(end); <-done }
}

func grows(t *testing.T, what string, rows *atomic.Int64, before int64) {
	t.Helper()
	for range 500 {
		if rows.Load() > before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%s: nothing is stored any more", what)
}

// dataSegment returns the process' memory that RLIMIT_DATA limits, in bytes.
func dataSegment(t *testing.T) uint64 {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "VmData:")
	n, err := strconv.ParseUint(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n * 1024
}
