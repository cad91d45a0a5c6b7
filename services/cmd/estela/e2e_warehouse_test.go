package main_test

import (
	"database/sql"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/redistest"
)

// things writes a dataset of that name and contract, and returns the folder of folders.
func things(t *testing.T, name, contract string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, name, "contract.json"), contract)
	return dir
}

// sharded is the contract of readings with so many shards.
func sharded(shards int) string {
	return strings.Replace(readings, `"time": "measured_at"`, fmt.Sprintf(`"time": "measured_at", "shards": %d`, shards), 1)
}

// startWorker starts a worker and waits until it is ready.
func startWorker(t *testing.T, dir, data, redis string, args ...string) *system {
	t.Helper()
	s := &system{dir: dir, ops: freeAddr(t)}
	s.process = start(t, append([]string{"worker", "--data-dir", dir, "--data", data, "--redis", redis, "--ops-listen", s.ops}, args...)...)
	eventually(t, "ready", func() error {
		select {
		case <-s.done:
			t.Fatalf("worker ended: exit %d\n%s", s.cmd.ProcessState.ExitCode(), &s.err)
		default:
		}
		_, err := get("http://" + s.ops + "/readyz")
		return err
	})
	return s
}

// rows are NDJSON events of readings, numbered.
func rows(first, last int) string {
	var b strings.Builder
	for i := first; i <= last; i++ {
		fmt.Fprintf(&b, `{"id":"r%d","measured_at":"2026-01-01T00:00:00Z","celsius":1}`+"\n", i)
	}
	return b.String()
}

// inFile asks the warehouse's file, which nobody holds.
func inFile(t *testing.T, dir, query string) (n int) {
	t.Helper()
	db, err := sql.Open("duckdb", filepath.Join(dir, "estela.duckdb")+"?access_mode=READ_ONLY")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRowContext(t.Context(), query).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// owned counts the shards that the process owns.
func (s *system) owned() (n int) {
	s.t.Helper()
	body, err := get("http://" + s.ops + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	for line := range strings.Lines(body) {
		if strings.HasPrefix(line, "estela_shard_owned{") && strings.HasSuffix(strings.TrimSpace(line), " 1") {
			n++
		}
	}
	return n
}

func (s *system) awaitOwned(n int) {
	s.t.Helper()
	eventually(s.t, "shards owned", func() error {
		if got := s.owned(); got != n {
			return fmt.Errorf("%d, want %d", got, n)
		}
		return nil
	})
}

// refused runs a command that must be refused and say all of it.
func refused(t *testing.T, stdin string, args []string, says ...string) {
	t.Helper()
	code, out, errs := estela(t, stdin, args...)
	if code != 3 {
		t.Errorf("estela %v: exit %d, want 3\n%s%s", args, code, out, errs)
	}
	for _, s := range says {
		if !strings.Contains(errs, s) {
			t.Errorf("estela %v does not say %q:\n%s", args, s, errs)
		}
	}
}

// TestE2ESecondWarehouse has two warehouses at one Redis: the second is refused and
// told whose the streams are, also after a FLUSHALL; a claim moves them, and then the
// first is refused.
func TestE2ESecondWarehouse(t *testing.T) {
	t.Parallel()
	server, data := redistest.Start(t), things(t, "readings", sharded(4))
	first, second := t.TempDir(), t.TempDir()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	flags := func(dir string) []string {
		return []string{"--data", data, "--data-dir", dir, "--redis", server.URL()}
	}
	on := func(dir string, command ...string) []string { return append(command, flags(dir)...) }
	says := []string{"readings", filepath.Join(first, "estela.duckdb"), host, filepath.Join(second, "estela.duckdb"), "estela warehouse claim readings"}

	a := startWorker(t, first, data, server.URL())
	a.awaitOwned(4)
	refused(t, "", on(second, "worker", "--ops-listen", freeAddr(t)), says...)
	refused(t, "", on(second, "up", "--listen", freeAddr(t), "--ops-listen", freeAddr(t)), says...)
	code, out, _ := estela(t, "", on(second, "doctor")...)
	if code != 1 || !strings.Contains(out, "FAIL  warehouse identity") || !strings.Contains(out, "claim") {
		t.Errorf("doctor on the second: exit %d\n%s", code, out)
	}
	if out := must(t, "", on(first, "doctor")...); !strings.Contains(out, "ok    warehouse identity") {
		t.Errorf("doctor on the first:\n%s", out)
	}
	must(t, rows(1, 100), on(first, "publish", "readings")...)
	a.awaitEvents("readings", "stored", 100)

	server.Do("FLUSHALL")
	must(t, rows(101, 200), on(first, "publish", "readings")...)
	a.awaitEvents("readings", "stored", 200)
	eventually(t, "registered again", func() error {
		for shard := range 4 {
			if n := server.Do("EXISTS", fmt.Sprintf("estela:{readings:%d}:warehouse", shard)); n != int64(1) {
				return fmt.Errorf("not for shard %d", shard)
			}
		}
		return nil
	})
	refused(t, "", on(second, "worker", "--ops-listen", freeAddr(t)), says...)

	refused(t, "", on(second, "warehouse", "claim", "readings"), "has the lease", "stop it first")
	if code := a.interrupt(); code != 0 {
		t.Fatalf("the first: exit %d", code)
	}
	out = must(t, "", on(second, "warehouse", "claim", "readings")...)
	if !strings.Contains(out, "shard 3") || !strings.Contains(out, "entries") || !strings.Contains(out, "trimmed") {
		t.Errorf("claim:\n%s", out)
	}
	b := startWorker(t, second, data, server.URL())
	b.awaitOwned(4)
	b.awaitEvents("readings", "stored", 100) // what the stream still had
	refused(t, "", on(first, "worker", "--ops-listen", freeAddr(t)), filepath.Join(second, "estela.duckdb"))
}

// TestE2EWarehousesRace starts two warehouses' workers at once: one continues, one is refused.
func TestE2EWarehousesRace(t *testing.T) {
	t.Parallel()
	data := things(t, "readings", sharded(8))
	for range 5 {
		server := redistest.Start(t)
		both := [2]*system{}
		for i := range both {
			s := &system{dir: t.TempDir(), ops: freeAddr(t)}
			s.process = start(t, "worker", "--data-dir", s.dir, "--data", data, "--redis", server.URL(), "--ops-listen", s.ops)
			both[i] = s
		}
		left, ended := both[0], both[1]
		select {
		case <-both[0].done:
			left, ended = both[1], both[0]
		case <-both[1].done:
		case <-time.After(time.Minute):
			t.Fatalf("both run: %d and %d shards", both[0].owned(), both[1].owned())
		}
		if code := ended.wait(); code != 3 {
			t.Fatalf("the loser: exit %d", code)
		}
		eventually(t, "the winner is ready", func() error { _, err := get("http://" + left.ops + "/readyz"); return err })
		left.awaitOwned(8)
		if code := left.interrupt(); code != 0 {
			t.Fatalf("the winner: exit %d", code)
		}
	}
}

// TestE2EWarehousesOfOtherDatasets has two warehouses with datasets of their own on one
// Redis: each owns all its shards.
func TestE2EWarehousesOfOtherDatasets(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a := startWorker(t, t.TempDir(), things(t, "readings", sharded(4)), server.URL())
	b := startWorker(t, t.TempDir(), things(t, "others", sharded(4)), server.URL())
	for range 3 { // the quota follows the count of workers within a few seconds
		a.awaitOwned(4)
		b.awaitOwned(4)
		time.Sleep(3 * time.Second)
	}
	// One of two datasets is another's: all of it is refused at the start.
	both := things(t, "others", sharded(4))
	if err := os.Mkdir(filepath.Join(both, "mine"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(both, "mine", "contract.json"), sharded(2))
	refused(t, "", []string{"worker", "--data", both, "--data-dir", t.TempDir(), "--redis", server.URL(), "--ops-listen", freeAddr(t)},
		"dataset others", b.dir)
	if n := server.Do("EXISTS", "estela:{mine:0}:warehouse"); n != int64(0) {
		t.Error("what was refused has left its name on a dataset")
	}
}

// TestE2EChangedContract changes a contract under a warehouse that stores by the old one:
// everybody refuses before anything is sent; drained and accepted, it resumes.
func TestE2EChangedContract(t *testing.T) {
	t.Parallel()
	for name, changed := range map[string]string{
		"fewer shards":    sharded(2),
		"more shards":     sharded(8),
		"removed column":  strings.Replace(strings.Replace(sharded(4), `, "celsius"]`, `]`, 1), "\"format\": \"date-time\"},\n    \"celsius\": {\"type\": \"number\", \"minimum\": -90, \"maximum\": 60}", `"format": "date-time"}`, 1),
		"narrowed values": strings.Replace(sharded(4), `"maximum": 60`, `"maximum": 50`, 1),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkChange(t, changed)
		})
	}
}

func checkChange(t *testing.T, changed string) {
	t.Helper()
	server, dir := redistest.Start(t), t.TempDir()
	was, is := things(t, "readings", sharded(4)), things(t, "readings", changed)
	on := func(data string, command ...string) []string {
		return append(command, "--data", data, "--data-dir", dir, "--redis", server.URL())
	}
	lengths := func() (n int64) {
		for shard := range 8 {
			n += server.Do("XLEN", fmt.Sprintf("estela:{readings:%d}", shard)).(int64)
		}
		return n
	}
	// Everybody refuses, whoever has the warehouse, and a producer who only reaches Redis.
	check := func() {
		t.Helper()
		before := lengths()
		refused(t, rows(900, 999), on(is, "publish", "readings"), "readings", "estela contract accept readings")
		refused(t, rows(900, 999), []string{"publish", "readings", "--data", is, "--data-dir", t.TempDir(), "--redis", server.URL()}, "readings")
		if after := lengths(); after != before {
			t.Errorf("publish was refused and added %d entries", after-before)
		}
		refused(t, "", on(is, "contract", "check"), "readings", "estela contract accept readings")
		code, out, _ := estela(t, "", on(is, "doctor")...)
		if code != 1 || !strings.Contains(out, "FAIL  contract readings") {
			t.Errorf("doctor: exit %d\n%s", code, out)
		}
	}
	a := startWorker(t, dir, was, server.URL())
	must(t, rows(1, 100), on(was, "publish", "readings")...)
	a.awaitEvents("readings", "stored", 100)
	check()
	refused(t, "", on(is, "contract", "accept", "readings"), "stop it first")
	if code := a.interrupt(); code != 0 {
		t.Fatalf("Ctrl-C: exit %d", code)
	}
	check()
	refused(t, "", on(is, "worker", "--ops-listen", freeAddr(t)), "estela contract accept readings")

	must(t, rows(101, 110), on(was, "publish", "readings")...)
	refused(t, "", on(is, "contract", "accept", "readings"), "not stored yet", "estela worker")
	a = startWorker(t, dir, was, server.URL())
	a.awaitEvents("readings", "stored", 10)
	if code := a.interrupt(); code != 0 {
		t.Fatalf("Ctrl-C: exit %d", code)
	}
	out := must(t, "", on(is, "contract", "accept", "readings")...)
	if !strings.Contains(out, "accepted") {
		t.Errorf("accept:\n%s", out)
	}
	must(t, rows(201, 300), on(is, "publish", "readings")...)
	a = startWorker(t, dir, is, server.URL())
	a.awaitEvents("readings", "stored", 100)
	must(t, "", on(is, "contract", "check")...)
	if code := a.interrupt(); code != 0 {
		t.Fatalf("Ctrl-C: exit %d", code)
	}
	if n := inFile(t, dir, "SELECT count(DISTINCT id) FROM main.readings WHERE celsius = 1 OR id > 'r2'"); n != 210 {
		t.Errorf("%d rows, want 210", n)
	}
	if n := inFile(t, dir, "SELECT count(*) FROM main.readings"); n != 210 {
		t.Errorf("%d rows, want 210", n)
	}
}

// TestE2EAddedProperty lets one producer use an addition before the worker, and another not at all.
func TestE2EAddedProperty(t *testing.T) {
	t.Parallel()
	server, dir := redistest.Start(t), t.TempDir()
	was := things(t, "readings", sharded(2))
	is := things(t, "readings", strings.Replace(sharded(2), `"properties": {`, `"properties": {"note": {"type": "string"},`, 1))
	for _, data := range []string{was, is} {
		a := startWorker(t, dir, data, server.URL())
		for i, producer := range []string{was, is} {
			must(t, rows(100*i, 100*i+99), "publish", "readings", "--data", producer, "--redis", server.URL())
		}
		a.awaitEvents("readings", map[string]string{was: "stored", is: "duplicate"}[data], 200)
		if code := a.interrupt(); code != 0 {
			t.Fatalf("Ctrl-C: exit %d", code)
		}
	}
	if code, out, _ := estela(t, "", "doctor", "--data", was, "--data-dir", dir); code != 1 || !strings.Contains(out, "/properties/note") {
		t.Errorf("doctor of a worker that would take the property away: exit %d\n%s", code, out)
	}
}

// TestE2ERejectsOfShardsThatGo keeps a change from making rejects that nothing can replay.
func TestE2ERejectsOfShardsThatGo(t *testing.T) {
	t.Parallel()
	server, dir := redistest.Start(t), t.TempDir()
	was, is := things(t, "readings", sharded(4)), things(t, "readings", sharded(2))
	a := startWorker(t, dir, was, server.URL())
	server.Do("XADD", "estela:{readings:3}", "*", "event", "{}")
	a.awaitEvents("readings", "rejected", 1)
	if code := a.interrupt(); code != 0 {
		t.Fatalf("Ctrl-C: exit %d", code)
	}
	accept := []string{"contract", "accept", "readings", "--data", is, "--data-dir", dir, "--redis", server.URL()}
	refused(t, "", accept, "reject 3/", "estela rejects purge readings")
	must(t, "", "rejects", "purge", "readings", "--yes", "--data", was, "--data-dir", dir)
	must(t, "", accept...)
	if n := server.Do("XLEN", "estela:{readings:3}"); n != int64(0) {
		t.Errorf("%v entries of a shard that is no more stay in Redis", n)
	}
}

// TestE2EFixedChange keeps to what the stored rows are laid out by.
func TestE2EFixedChange(t *testing.T) {
	t.Parallel()
	server, dir := redistest.Start(t), t.TempDir()
	a := startWorker(t, dir, things(t, "readings", sharded(1)), server.URL())
	server.Do("XADD", "estela:{readings:0}", "*", "event", reading("a", "20"))
	a.awaitEvents("readings", "stored", 1)
	if code := a.interrupt(); code != 0 {
		t.Fatalf("Ctrl-C: exit %d", code)
	}
	is := things(t, "readings", strings.Replace(sharded(1), `"type": "number"`, `"type": "integer"`, 1))
	refused(t, "", []string{"contract", "accept", "readings", "--data", is, "--data-dir", dir, "--redis", server.URL()},
		"/properties/celsius", "dataset of a new name")
}

// TestE2EClaimBesideUp replaces the warehouse of an 'up' that has a redis-server of its own.
func TestE2EClaimBesideUp(t *testing.T) {
	t.Parallel()
	data, dir := ownDataset(t), t.TempDir()
	on := func(command ...string) []string { return append(command, "--data", data, "--data-dir", dir) }
	s := up(t, dir, "--data", data)
	must(t, rows(1, 50), on("publish", "readings")...)
	s.awaitEvents("readings", "stored", 50)
	if code := s.interrupt(); code != 0 {
		t.Fatalf("Ctrl-C: exit %d", code)
	}
	if err := os.Remove(filepath.Join(dir, "estela.duckdb")); err != nil {
		t.Fatal(err)
	}
	refused(t, "", on("up", "--listen", freeAddr(t), "--ops-listen", freeAddr(t)), "estela warehouse claim readings")
	if out := must(t, "", on("warehouse", "claim", "readings")...); !strings.Contains(out, "50 entries") {
		t.Errorf("claim:\n%s", out)
	}
	s = up(t, dir, "--data", data)
	s.awaitEvents("readings", "stored", 50)
}

// TestE2ERenamedDataset names what is left of a renamed dataset.
func TestE2ERenamedDataset(t *testing.T) {
	t.Parallel()
	server, dir := redistest.Start(t), t.TempDir()
	was, is := things(t, "readings", sharded(4)), things(t, "measurements", sharded(2))
	on := func(data string, command ...string) []string {
		return append(command, "--data", data, "--data-dir", dir, "--redis", server.URL())
	}
	a := startWorker(t, dir, was, server.URL())
	must(t, rows(1, 100), on(was, "publish", "readings")...)
	a.awaitEvents("readings", "stored", 100)
	if code := a.interrupt(); code != 0 {
		t.Fatalf("Ctrl-C: exit %d", code)
	}
	must(t, rows(101, 130), on(was, "publish", "readings")...)
	doctor := func(says ...string) {
		t.Helper()
		code, out, _ := estela(t, "", on(is, "doctor")...)
		for _, s := range says {
			if code != 0 || !strings.Contains(out, s) {
				t.Errorf("doctor: exit %d, does not say %q:\n%s", code, s, out)
			}
		}
	}
	doctor("warn  dataset readings", "100 rows", "130 entries", "30 not stored")
	b := startWorker(t, dir, is, server.URL())
	doctor("warn  dataset readings", "100 rows", "130 entries", "30 not stored")
	if !strings.Contains(b.err.String(), "readings") || !strings.Contains(b.err.String(), "130 entries") {
		t.Errorf("the start does not name it:\n%s", &b.err)
	}
	server.Do("XADD", "estela:{measurements:7}", "*", "event", "{}")
	code, out, _ := estela(t, "", on(is, "doctor")...)
	if code != 1 || !strings.Contains(out, "FAIL  stream estela:{measurements:7}") || !strings.Contains(out, "1 entries") {
		t.Errorf("doctor: exit %d\n%s", code, out)
	}
}

// get of the control interface needs the socket; over the network it needs the token.
func TestE2EContractsAreGuarded(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a := startWorker(t, t.TempDir(), things(t, "readings", sharded(1)), server.URL())
	resp, err := http.Get("http://" + a.ops + "/ops/contracts")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("%s", resp.Status)
	}
}
