package main_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/duckdb/duckdb-go/v2" // reads the sample beside the pipeline
)

// binary builds estela once for all tests of this package.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "estela-e2e-")
	if err != nil {
		return "", err
	}
	built = dir
	file := filepath.Join(dir, "estela")
	out, err := exec.Command("go", "build", "-o", file, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build estela: %w\n%s", err, out)
	}
	return file, nil
})

var built string

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		_ = os.RemoveAll(built)
	}
	os.Exit(code)
}

// output collects what a process writes, for reading while it runs.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// process is one run of the built binary.
type process struct {
	t        *testing.T
	cmd      *exec.Cmd
	out, err output
	done     chan struct{}
}

// start runs the binary and leaves it running; the test's end kills it by pid.
func start(t *testing.T, args ...string) *process {
	t.Helper()
	return startIn(t, "", args...)
}

// startIn runs the binary in a directory.
func startIn(t *testing.T, dir string, args ...string) *process {
	t.Helper()
	file, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: exec.Command(file, args...), done: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("estela %s\n--- stdout\n%s--- stderr\n%s", strings.Join(args, " "), &p.out, &p.err)
		}
	})
	return p
}

// wait returns the exit code.
func (p *process) wait() int {
	p.t.Helper()
	select {
	case <-p.done:
	case <-time.After(2 * time.Minute):
		p.t.Fatalf("estela %v does not end", p.cmd.Args[1:])
	}
	return p.cmd.ProcessState.ExitCode()
}

// interrupt is Ctrl-C.
func (p *process) interrupt() int {
	p.t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGINT); err != nil {
		p.t.Fatal(err)
	}
	return p.wait()
}

// estela runs one command to its end.
func estela(t *testing.T, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return estelaIn(t, "", stdin, args...)
}

// estelaIn runs one command in a directory.
func estelaIn(t *testing.T, dir, stdin string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	file, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, file, args...)
	var out, errs bytes.Buffer
	cmd.Dir = dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err = cmd.Run()
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatalf("estela %v: %v", args, err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

// must runs a command that has to succeed and returns what it prints.
func must(t *testing.T, stdin string, args ...string) string {
	t.Helper()
	code, out, errs := estela(t, stdin, args...)
	if code != 0 {
		t.Fatalf("estela %v: exit %d\n%s%s", args, code, out, errs)
	}
	return out
}

// system is a running 'estela up'.
type system struct {
	*process
	dir, api, ops string
}

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// up starts the pipeline on a data directory and waits until it is ready.
func up(t *testing.T, dir string, args ...string) *system {
	t.Helper()
	s := &system{dir: dir, api: freeAddr(t), ops: freeAddr(t)}
	s.process = start(t, append([]string{"up", "--data-dir", dir, "--listen", s.api, "--ops-listen", s.ops}, args...)...)
	s.awaitReady()
	return s
}

func (s *system) awaitReady() {
	s.t.Helper()
	eventually(s.t, "ready", func() error {
		select {
		case <-s.done:
			s.t.Fatalf("up ended: exit %d\n%s%s", s.cmd.ProcessState.ExitCode(), &s.out, &s.err)
		default:
		}
		_, err := get("http://" + s.ops + "/readyz")
		return err
	})
}

func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	var err error
	for start := time.Now(); time.Since(start) < time.Minute; time.Sleep(50 * time.Millisecond) {
		if err = try(); err == nil {
			return
		}
	}
	t.Fatalf("%s: not within a minute: %v", what, err)
}

func get(url string) (string, error) {
	resp, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s: %s: %s", url, resp.Status, body)
	}
	return string(body), nil
}

// answer is the API's JSON.
type answer struct {
	Data []map[string]any `json:"data"`
	Meta struct {
		AsOf string  `json:"as_of"`
		Rows int     `json:"rows"`
		Next *string `json:"next"`
	} `json:"meta"`
}

// read gets an endpoint's answer, all its pages.
func (s *system) read(path string) []map[string]any {
	s.t.Helper()
	var all []map[string]any
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	for next := path; ; {
		body, err := get("http://" + s.api + next)
		if err != nil {
			s.t.Fatal(err)
		}
		var a answer
		if err := json.Unmarshal([]byte(body), &a); err != nil {
			s.t.Fatalf("%s: %v: %s", next, err, body)
		}
		all = append(all, a.Data...)
		if a.Meta.Next == nil {
			return all
		}
		next = path + separator + "cursor=" + *a.Meta.Next
	}
}

// metric reads one series of the ops listener.
func (s *system) metric(series string) string {
	s.t.Helper()
	body, err := get("http://" + s.ops + "/metrics")
	if err != nil {
		s.t.Fatal(err)
	}
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(series) + ` (.*)$`).FindStringSubmatch(body)
	if found == nil {
		s.t.Fatalf("no series %s", series)
	}
	return found[1]
}

// awaitEvents waits until so many events of a dataset have that outcome.
func (s *system) awaitEvents(dataset, outcome string, n int) {
	s.t.Helper()
	series := fmt.Sprintf(`estela_events_total{dataset=%q,outcome=%q}`, dataset, outcome)
	eventually(s.t, series, func() error {
		if got := s.metric(series); got != fmt.Sprint(n) && got != fmt.Sprintf("%g", float64(n)) {
			return fmt.Errorf("%s, want %d", got, n)
		}
		return nil
	})
}

// punctuality is what DuckDB says about the sample, without the pipeline.
func punctuality(t *testing.T) map[string][2]int64 {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), `SELECT origin || '-' || destination, count(*), count(*) FILTER (delay < 15)
		FROM '../../../data/flights/sample.parquet' GROUP BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	routes := map[string][2]int64{}
	for rows.Next() {
		var route string
		var n [2]int64
		if err := rows.Scan(&route, &n[0], &n[1]); err != nil {
			t.Fatal(err)
		}
		routes[route] = n
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return routes
}

func total(routes map[string][2]int64) (n int64) {
	for _, r := range routes {
		n += r[0]
	}
	return n
}

// TestE2EUp is the first promise: one command runs the pipeline on real flights,
// the figures are DuckDB's own, and a second run publishes nothing twice.
func TestE2EUp(t *testing.T) {
	t.Parallel()
	want := punctuality(t)
	dir := t.TempDir()
	s := up(t, dir, "--rate", "0")
	s.awaitEvents("flights", "stored", int(total(want)))
	s.checkRoutes(want)
	s.checkREADME()
	s.checkDocumentedCalls()
	for _, text := range []string{"redis-server", "curl -s 'http://" + s.api + "/v1/flights/", filepath.Join(dir, "estela.duckdb")} {
		if !strings.Contains(s.out.String(), text) {
			t.Errorf("the greeting does not say %q:\n%s", text, &s.out)
		}
	}
	if code := s.interrupt(); code != 0 {
		t.Fatalf("Ctrl-C: exit %d", code)
	}

	again := up(t, dir, "--rate", "0")
	eventually(t, "word about the sample", func() error {
		if !strings.Contains(again.err.String(), "published before") {
			return errors.New("not said")
		}
		return nil
	})
	again.checkRoutes(want)
	again.awaitEvents("flights", "stored", 0)
	if code := again.interrupt(); code != 0 {
		t.Fatalf("Ctrl-C of the second run: exit %d", code)
	}
}

func (s *system) checkRoutes(want map[string][2]int64) {
	s.t.Helper()
	got := s.read("/v1/flights/punctuality?by=route")
	if len(got) != len(want) {
		s.t.Fatalf("%d routes, want %d", len(got), len(want))
	}
	for _, r := range got {
		n := want[r["name"].(string)]
		if r["flights"] != float64(n[0]) || r["on_time"] != float64(n[1]) {
			s.t.Errorf("%v: want %v", r, n)
		}
	}
}

// checkREADME holds the README's first answer against the real one.
func (s *system) checkREADME() {
	s.t.Helper()
	readme, err := os.ReadFile("../../../README.md")
	if err != nil {
		s.t.Fatal(err)
	}
	shown := regexp.MustCompile("(?s)curl -s 'http://127.0.0.1:8080([^']*)'\n```\n\n```json\n(.*?)```").FindSubmatch(readme)
	if shown == nil {
		s.t.Fatal("no curl with an answer in the README")
	}
	body, err := get("http://" + s.api + string(shown[1]))
	if err != nil {
		s.t.Fatal(err)
	}
	var want, got answer
	if err := errors.Join(json.Unmarshal(shown[2], &want), json.Unmarshal([]byte(body), &got)); err != nil {
		s.t.Fatal(err)
	}
	if !reflect.DeepEqual(got.Data, want.Data) {
		s.t.Errorf("the README shows\n%v\nthe answer is\n%v", want.Data, got.Data)
	}
}

// TestE2EInterrupted stops 'up' while the sample is on its way: the next run
// publishes the rest, and all is there once.
func TestE2EInterrupted(t *testing.T) {
	t.Parallel()
	want := punctuality(t)
	dir := t.TempDir()
	s := up(t, dir, "--rate", "20000")
	eventually(t, "first rows", func() error {
		if s.metric(`estela_events_total{dataset="flights",outcome="stored"}`) == "0" {
			return errors.New("none yet")
		}
		return nil
	})
	if code := s.interrupt(); code != 0 {
		t.Fatalf("Ctrl-C: exit %d", code)
	}
	s = up(t, dir, "--rate", "0")
	eventually(t, "whole sample", func() error {
		if rows := s.count("flights"); rows != total(want) {
			return fmt.Errorf("%d rows", rows)
		}
		return nil
	})
	s.checkRoutes(want)
}

// count sums the flights of all routes.
func (s *system) count(dataset string) (n int64) {
	for _, r := range s.read("/v1/" + dataset + "/punctuality?by=hour") {
		n += int64(r["flights"].(float64))
	}
	return n
}

const readings = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "x-estela": {"key": "id", "time": "measured_at"},
  "required": ["id", "measured_at", "celsius"],
  "properties": {
    "id": {"type": "string"},
    "measured_at": {"type": "string", "format": "date-time"},
    "celsius": {"type": "number", "minimum": -90, "maximum": 60}
  }
}`

// ownDataset writes a dataset that the engine has never heard of.
func ownDataset(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "mine")
	write := func(name, text string) {
		file := filepath.Join(dir, "readings", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("contract.json", readings)
	write("endpoints/warmest.sql", "-- The warmest readings.\n-- order: celsius desc, id\nSELECT id, measured_at, celsius FROM readings\n")
	return dir
}

// TestE2EOwnDataset serves a dataset made of a contract and one SQL file, and
// puts every command through its paces beside the running pipeline.
func TestE2EOwnDataset(t *testing.T) {
	t.Parallel()
	data, dir := ownDataset(t), t.TempDir()
	s := up(t, dir, "--data", data)
	beside := []string{"--data", data, "--data-dir", dir}

	// publish: what is no event is reported with its line, the rest is sent.
	code, _, errs := estela(t, `{"id":"a","measured_at":"2026-01-01T00:00:00Z","celsius":21.5}
{"id":"b","measured_at":"2026-01-01T00:00:00Z","celsius":99}
not json
{"id":"c","measured_at":"2026-01-01T01:00:00+01:00","celsius":-3}
`, append([]string{"publish", "readings"}, beside...)...)
	if code != 1 || !strings.Contains(errs, "row 2: /celsius") || !strings.Contains(errs, "row 3") {
		t.Errorf("publish: exit %d\n%s", code, errs)
	}
	s.awaitEvents("readings", "stored", 2)
	if got := fmt.Sprint(s.read("/v1/readings/warmest")); got !=
		"[map[celsius:21.5 id:a measured_at:2026-01-01T00:00:00Z] map[celsius:-3 id:c measured_at:2026-01-01T00:00:00Z]]" {
		t.Error(got)
	}

	// The same again is dropped, as CSV too.
	must(t, "id,measured_at,celsius\na,2026-01-01T00:00:00Z,21.5\n", append([]string{"publish", "readings", "--format", "csv"}, beside...)...)
	s.awaitEvents("readings", "duplicate", 1)

	// A producer that does not ask us first: its bad event is kept.
	s.redis("XADD", "estela:{readings:0}", "*", "event", `{"id":"d","measured_at":"yesterday","celsius":1}`)
	s.awaitEvents("readings", "rejected", 1)
	list := must(t, "", append([]string{"rejects", "list", "readings"}, beside...)...)
	id := strings.Fields(list)[1]
	if !strings.Contains(list, "/measured_at") {
		t.Errorf("rejects list does not name the violation: %s", list)
	}
	if raw := must(t, "", append([]string{"rejects", "show", "readings", id, "--raw"}, beside...)...); raw != `{"id":"d","measured_at":"yesterday","celsius":1}` {
		t.Errorf("rejects show --raw: %q", raw)
	}
	s.traces(map[string][]string{
		"a": {"stored", "later", "duplicate  dropped: ", "in the stream still"},
		"d": {"rejected", "/measured_at", "in the stream still"},
	}, beside)
	if out := must(t, "", append([]string{"rejects", "replay", "readings"}, beside...)...); !strings.HasPrefix(out, "0 stored, 0 duplicates dropped, 1 still") {
		t.Error(out)
	}
	if out := must(t, "", append([]string{"replay", "readings"}, beside...)...); !strings.Contains(out, " 0 missing rows stored") {
		t.Error(out)
	}
	if out := must(t, "", append([]string{"rejects", "purge", "readings", "--yes"}, beside...)...); out != "1 purged\n" {
		t.Error(out)
	}
	backfill := append([]string{"backfill", "readings"}, beside...)
	if out := must(t, `{"id":"a","measured_at":"2026-01-01T00:00:00Z","celsius":21.5}`+"\n"+
		`{"id":"e","measured_at":"2026-01-02T00:00:00Z","celsius":5}`, backfill...); out != "1 stored, 1 duplicates dropped\n" {
		t.Error(out)
	}
	s.traces(map[string][]string{"d": {"rejected   and purged since", "/measured_at"}, "e": {"from no stream", "stored"}}, beside)
	if code, _, errs := estela(t, "", append([]string{"locate", "nobody"}, beside...)...); code != 1 || !strings.Contains(errs, "never published") {
		t.Errorf("trace of no event: exit %d, %s", code, errs)
	}
	if out := must(t, "", append([]string{"doctor"}, beside...)...); strings.Contains(out, "FAIL") {
		t.Error(out)
	}
	if n := len(s.read("/v1/readings/warmest")); n != 3 {
		t.Errorf("%d rows at the end, want 3", n)
	}

	// No other process can open the warehouse; the error names the one that has it.
	code, _, errs = estela(t, "", "worker", "--data", data, "--data-dir", t.TempDir(), "--redis", s.redisURL(),
		"--ops-listen", freeAddr(t), "--warehouse", filepath.Join(dir, "estela.duckdb"))
	if code != 1 || !strings.Contains(errs, fmt.Sprintf("process %d", s.cmd.Process.Pid)) {
		t.Errorf("second process: exit %d: %s", code, errs)
	}
	code, _, errs = estela(t, "", append([]string{"worker", "--redis", s.redisURL()}, beside...)...)
	if code != 1 || !strings.Contains(errs, "already") {
		t.Errorf("worker in the same directory: exit %d: %s", code, errs)
	}
	must(t, "", append([]string{"rejects", "list"}, beside...)...) // and 'up' still answers
	code, _, errs = estela(t, "", append([]string{"up"}, beside...)...)
	if code != 1 || !strings.Contains(errs, "already") {
		t.Errorf("second up: exit %d: %s", code, errs)
	}
	if code := s.interrupt(); code != 0 {
		t.Fatalf("Ctrl-C: exit %d", code)
	}

	// The commands work without a running pipeline, too.
	if out := must(t, `{"id":"f","measured_at":"2026-01-03T00:00:00Z","celsius":6}`, backfill...); out != "1 stored, 0 duplicates dropped\n" {
		t.Error(out)
	}
	s.traces(map[string][]string{"f": {"stored"}}, beside)
}

// traces asks for events by key, and for what is found by its ID: each answer says what it should.
func (s *system) traces(want map[string][]string, beside []string) {
	s.t.Helper()
	for key, says := range want {
		out := must(s.t, "", append([]string{"locate", key}, beside...)...)
		for _, w := range says {
			if !strings.Contains(out, w) {
				s.t.Errorf("trace %s does not say %q:\n%s", key, w, out)
			}
		}
		var found struct {
			Events []struct{ ID, State, Key string }
		}
		if err := json.Unmarshal([]byte(must(s.t, "", append([]string{"locate", "--json", key}, beside...)...)), &found); err != nil {
			s.t.Fatal(err)
		}
		for _, e := range found.Events {
			if e.ID == "" {
				continue
			}
			if out := must(s.t, "", append([]string{"trace", e.ID}, beside...)...); !strings.Contains(out, e.State) || !strings.Contains(out, strconv.Quote(e.Key)) {
				s.t.Errorf("trace %s, which is %+v:\n%s", e.ID, e, out)
			}
		}
	}
}

func (s *system) redisURL() string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(s.dir, "run.json"))
	if err != nil {
		s.t.Fatal(err)
	}
	var run struct{ Redis string }
	if err := json.Unmarshal(text, &run); err != nil {
		s.t.Fatal(err)
	}
	return run.Redis
}

// redis sends one command as a foreign producer would.
func (s *system) redis(args ...string) {
	s.t.Helper()
	conn, err := net.Dial("unix", strings.TrimPrefix(s.redisURL(), "unix://"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	fmt.Fprintf(conn, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(conn, "$%d\r\n%s\r\n", len(a), a)
	}
	reply := make([]byte, 256)
	n, err := conn.Read(reply)
	if err != nil || reply[0] == '-' {
		s.t.Fatalf("redis %v: %s %v", args, reply[:n], err)
	}
}

// TestE2EEmbedded runs without redis-server on PATH: Ctrl-C drains all the same.
func TestE2EEmbedded(t *testing.T) {
	if _, err := binary(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", t.TempDir())
	data, dir := ownDataset(t), t.TempDir()
	s := up(t, dir, "--data", data)
	eventually(t, "the greeting says which Redis", func() error { // it is ready before it has said all
		if text := s.out.String(); !strings.Contains(text, "embedded") {
			return errors.New(text)
		}
		return nil
	})
	must(t, `{"id":"a","measured_at":"2026-01-01T00:00:00Z","celsius":21.5}`, "publish", "readings", "--data", data, "--data-dir", dir)
	if code := s.interrupt(); code != 0 {
		t.Fatalf("Ctrl-C: exit %d", code)
	}
	s = up(t, dir, "--data", data)
	if n := len(s.read("/v1/readings/warmest")); n != 1 {
		t.Errorf("%d rows after the restart, want 1", n)
	}

	// A contract that breaks the one before: nothing is left in that Redis to wait for.
	if code := s.interrupt(); code != 0 {
		t.Fatalf("Ctrl-C: exit %d", code)
	}
	changed := things(t, "readings", sharded(4))
	args := []string{"--data", changed, "--data-dir", dir}
	refused(t, "", append([]string{"up", "--listen", freeAddr(t), "--ops-listen", freeAddr(t)}, args...), "estela contract accept readings")
	must(t, "", append([]string{"contract", "accept", "readings"}, args...)...)
	s = up(t, dir, "--data", changed)
	must(t, rows(1, 9), append([]string{"publish", "readings"}, args...)...)
	s.awaitEvents("readings", "stored", 9)
}

// TestE2EWatch edits an endpoint under the running API: a good edit is served within
// a second, a broken one leaves the last good one and is logged.
func TestE2EWatch(t *testing.T) {
	t.Parallel()
	data, dir := ownDataset(t), t.TempDir()
	s := up(t, dir, "--data", data, "--watch")
	file := filepath.Join(data, "readings", "endpoints", "warmest.sql")
	await := func(what string, ok func() bool) {
		t.Helper()
		eventually(t, what, func() error {
			if !ok() {
				return errors.New("not yet")
			}
			return nil
		})
	}
	writeFile(t, file, "-- The answer.\nSELECT 42 AS answer\n")
	await("a good edit", func() bool { return fmt.Sprint(s.read("/v1/readings/warmest")) == "[map[answer:42]]" })
	writeFile(t, file, "-- The answer.\nSELECT 43 AS answer FROM nowhere\n")
	await("what is wrong", func() bool {
		return strings.Contains(s.err.String(), "warmest.sql:2:26: reads nowhere, which is no table")
	})
	if got := fmt.Sprint(s.read("/v1/readings/warmest")); got != "[map[answer:42]]" {
		t.Errorf("after a broken edit: %s", got)
	}
	writeFile(t, filepath.Join(data, "readings", "endpoints", "more.sql"), "-- More.\nSELECT 1 AS one\n")
	writeFile(t, file, "-- The answer.\nSELECT 44 AS answer\n")
	await("a new file", func() bool { return fmt.Sprint(s.read("/v1/readings/warmest")) == "[map[answer:44]]" })
	if got := fmt.Sprint(s.read("/v1/readings/more")); got != "[map[one:1]]" {
		t.Errorf("a new endpoint: %s", got)
	}
}

// TestE2ELargeAnswer asks for five million rows in each format that is streamed: the
// process must not grow with them.
func TestE2ELargeAnswer(t *testing.T) { //nolint:paralleltest // it measures memory and keeps both cores busy
	const most = 200 << 10 // KiB
	data := ownDataset(t)
	writeFile(t, filepath.Join(data, "readings", "endpoints", "all.sql"), `-- All.
-- param: rows integer required -- how many
-- limit: rows=5000000 time=5m
SELECT range AS id, TIMESTAMPTZ '2001-01-01' + INTERVAL (range) SECOND AS measured_at, range / 7 AS celsius, md5(range::VARCHAR) AS text FROM range($rows)
`)
	s := up(t, t.TempDir(), "--data", data)
	resident := func(field string) int {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", s.cmd.Process.Pid))
		if err != nil {
			t.Fatal(err)
		}
		var n int
		_, rest, _ := strings.Cut(string(text), field+":")
		if _, err := fmt.Sscan(rest, &n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, format := range []string{"json", "csv", "parquet", "arrow"} {
		before := resident("VmRSS")
		res, err := http.Get("http://" + s.api + "/v1/readings/all?rows=5000000&format=" + format)
		if err != nil {
			t.Fatal(err)
		}
		n, err := io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		if err != nil || res.StatusCode != http.StatusOK || n < 50<<20 {
			t.Fatalf("%s: %s, %d bytes, %v", format, res.Status, n, err)
		}
		if grown := resident("VmHWM") - before; grown > most {
			t.Errorf("%s: grew by %d MiB over an answer of %d MiB", format, grown>>10, n>>20)
		}
		t.Logf("%s: %d MiB, from %d MiB to at most %d MiB", format, n>>20, before>>10, resident("VmHWM")>>10)
	}
}

func writeFile(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
