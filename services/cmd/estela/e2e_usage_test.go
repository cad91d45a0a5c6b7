package main_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/redistest"
)

// keyedGet asks with a key and returns status and body.
func keyedGet(t *testing.T, address, path, key string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(text)
}

// totals are the sums of an endpoint's usage: requests, rows, bytes, client errors.
type totals struct{ Requests, Rows, Bytes, ClientErrors int64 }

// usageOf returns the stored usage of a subject by endpoint and operation.
func usageOf(t *testing.T, address, key, subject string) map[string]totals {
	t.Helper()
	status, body := keyedGet(t, address, "/v1/usage/endpoints?subject="+subject, key)
	var a struct {
		Data []struct {
			Endpoint, Operation   string
			Requests, Rows, Bytes int64
			ClientErrors          int64 `json:"client_errors"`
		}
	}
	if err := json.Unmarshal([]byte(body), &a); err != nil || status != http.StatusOK {
		t.Fatalf("%d %v: %s", status, err, body)
	}
	all := map[string]totals{}
	for _, one := range a.Data {
		all[one.Operation+" "+one.Endpoint] = totals{one.Requests, one.Rows, one.Bytes, one.ClientErrors}
	}
	return all
}

// TestE2EUsage counts what two keys ask of 'up', 'api' and 'ingest': the stored usage is what they have asked, to
// the request, also of the minute in which the processes are stopped.
func TestE2EUsage(t *testing.T) {
	t.Parallel()
	redis, dir, data := redistest.Start(t, redistest.WithAOF()), t.TempDir(), ownDataset(t)
	keys := filepath.Join(dir, "keys.json")
	newKey := func(name string, more ...string) string {
		return strings.TrimSpace(must(t, "", append([]string{"key", "new", name, "--data", data, "--append", "--keys", keys}, more...)...))
	}
	partner, sensors, team := newKey("partner", "--dataset", "readings"), newKey("sensors", "--write", "readings"), newKey("team")
	forger := newKey("forger", "--usage", "--write", "usage", "--write", "readings")
	run := filepath.Join(dir, "run")
	flags := []string{"--usage", "--data", data, "--redis", redis.URL(), "--keys", keys}
	s := up(t, run, append(flags, "--no-sample")...)
	want := map[string]map[string]totals{"partner": {}, "sensors": {}, "%28anonymous%29": {}}
	expect := func(subject, of string, more totals) {
		sum := want[subject][of]
		want[subject][of] = totals{sum.Requests + more.Requests, sum.Rows + more.Rows, sum.Bytes + more.Bytes, sum.ClientErrors + more.ClientErrors}
	}
	send := func(address, query, body string) {
		t.Helper()
		if status, text := post(t, address, query, sensors, body); status >= 300 {
			t.Fatalf("%d %s", status, text)
		}
		expect("sensors", "write readings/events", totals{1, int64(strings.Count(body, "\n")), int64(len(body)), 0})
	}
	ask := func(address string, rows int64) {
		t.Helper()
		for range 50 {
			status, body := keyedGet(t, address, "/v1/readings/warmest", partner)
			if status != http.StatusOK {
				t.Fatalf("%d %s", status, body)
			}
			expect("partner", "read readings/warmest", totals{1, rows, int64(len(body)), 0})
		}
	}
	refused := func(address, key, subject, counted string, wants int) {
		t.Helper()
		status, body := keyedGet(t, address, "/v1/usage/subjects", key)
		if status != wants {
			t.Fatalf("%d %s", status, body)
		}
		expect(subject, counted, totals{1, 0, int64(len(body)), 1})
	}

	send(s.api, "?durability=stored", rows(1, 5))
	ask(s.api, 5)
	refused(s.api, partner, "partner", "read other", http.StatusForbidden) // not what it may not see
	refused(s.api, "estela_unknown", "%28anonymous%29", "read usage/subjects", http.StatusUnauthorized)
	if status, text := post(t, s.api, "", "", rows(1, 1)); status != http.StatusUnauthorized {
		t.Errorf("%d %s", status, text)
	}
	expect("%28anonymous%29", "write readings/events", totals{1, 0, 0, 1})
	if code := s.interrupt(); code != 0 {
		t.Errorf("up: exit %d", code)
	}
	if got := inFile(t, run, "SELECT CAST(coalesce(sum(requests), 0) AS INTEGER) FROM usage WHERE subject = 'partner'"); got != 51 {
		t.Errorf("%d of 51 requests were stored before it stopped", got)
	}

	// The parts by themselves publish what they have counted when they stop.
	part := func(args ...string) *system {
		p := &system{api: freeAddr(t), ops: freeAddr(t)}
		p.process = start(t, append(append(args, flags...), "--listen", p.api, "--ops-listen", p.ops)...)
		p.awaitReady()
		return p
	}
	reads, takes := part("api", "--data-dir", run), part("ingest")
	ask(reads.api, 5)
	send(takes.api, "", rows(6, 9))
	if got := reads.metric("estela_usage_pending_minutes") + takes.metric("estela_usage_lost_requests_total"); got != "00" {
		t.Errorf("pending and lost: %s", got)
	}
	for _, p := range []*system{reads, takes} {
		if code := p.interrupt(); code != 0 {
			t.Errorf("exit %d", code)
		}
	}

	s = up(t, run, append(flags, "--no-sample")...)
	s.awaitEvents("readings", "stored", 4)
	for subject, wanted := range want {
		got := usageOf(t, s.api, team, subject)
		if fmt.Sprint(got) != fmt.Sprint(wanted) {
			t.Errorf("usage of %s:\n%v, want\n%v", subject, got, wanted)
		}
	}
	if status, body := post(t, s.api, "", sensors, rows(1, 1)); status != http.StatusAccepted {
		t.Errorf("%d %s", status, body)
	}
	// The same event, published again as after an unknown outcome, is one.
	event := `{"id":"x-1-0","minute":"2026-01-01T00:00:00Z","subject":"twice","endpoint":"e","operation":"read","requests":7,` +
		`"cached":0,"client_errors":0,"server_errors":0,"rows":0,"bytes":0,"milliseconds":0.5}` + "\n"
	for range 2 {
		must(t, event, "publish", "usage", "--usage", "--redis", redis.URL(), "--data-dir", run, "--format", "ndjson", "--wait-stored")
	}
	if got := usageOf(t, s.api, team, "twice")["read e"].Requests; got != 7 {
		t.Errorf("published twice: %d requests", got)
	}
	// What is billed is written by this program alone.
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.api+"/v1/usage/events", strings.NewReader(event))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+forger)
	req.Header.Set("Content-Type", "application/x-ndjson")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusNotFound {
		t.Errorf("a POST of usage: %s", res.Status)
	}
	if code := s.interrupt(); code != 0 {
		t.Errorf("up: exit %d", code)
	}
}

// TestE2EUsageEmbedded stops with a Redis that keeps nothing: the last minute is stored before.
func TestE2EUsageEmbedded(t *testing.T) {
	if _, err := binary(); err != nil { // needs PATH
		t.Fatal(err)
	}
	path := os.Getenv("PATH")
	t.Setenv("PATH", t.TempDir())
	dir := t.TempDir()
	s := up(t, dir, "--usage", "--no-sample")
	eventually(t, "its worker runs", func() error { // reads are answered before
		if body, err := get("http://" + s.ops + "/metrics"); err != nil || !strings.Contains(body, `estela_shard_owned{dataset="usage",shard="0"} 1`) {
			return fmt.Errorf("not yet: %w", err)
		}
		return nil
	})
	for range 30 {
		s.read("/v1/canary/latest")
	}
	if code := s.interrupt(); code != 0 {
		t.Fatalf("exit %d", code)
	}
	t.Setenv("PATH", path)
	if got := inFile(t, dir, "SELECT CAST(sum(requests) AS INTEGER) FROM usage WHERE endpoint = 'canary/latest'"); got != 30 {
		t.Errorf("%d of 30 requests are stored", got)
	}
	if got := inFile(t, dir, "SELECT count(*) FROM estela.estela.rejects"); got != 0 {
		t.Errorf("%d rejects", got)
	}
}

// TestE2EWithoutUsage: nothing of the dataset is there unless it is asked for, also where the folder of the
// built-in datasets is given.
func TestE2EWithoutUsage(t *testing.T) {
	t.Parallel()
	redis, dir := redistest.Start(t), t.TempDir()
	s := up(t, dir, "--data", "../../../data", "--redis", redis.URL(), "--no-sample")
	for _, path := range []string{"/v1", "/openapi.json"} {
		if body, err := get("http://" + s.api + path); err != nil || strings.Contains(body, "usage/") {
			t.Errorf("%s: %v\n%s", path, err, body)
		}
	}
	if body, err := get("http://" + s.ops + "/metrics"); err != nil || strings.Contains(body, "usage") {
		t.Errorf("metrics: %v\n%s", err, body)
	}
	if got := fmt.Sprint(redis.Do("KEYS", "*usage*")); got != "[]" {
		t.Errorf("in Redis: %s", got)
	}
	if code := s.interrupt(); code != 0 {
		t.Errorf("exit %d", code)
	}
	if got := inFile(t, dir, "SELECT count(*) FROM duckdb_tables() WHERE table_name = 'usage'"); got != 0 {
		t.Error("there is a table of usage")
	}
}
