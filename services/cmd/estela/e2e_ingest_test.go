package main_test

import (
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/redistest"
)

// post sends readings and returns status and body.
func post(t *testing.T, address, query, key, body string) (status int, text string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+address+"/v1/readings/events"+query, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-ndjson")
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(answer)
}

// TestE2EIngest is the way of an event by HTTP alone: a key that may write, 'estela ingest', and a GET that
// shows it.
func TestE2EIngest(t *testing.T) {
	t.Parallel()
	redis, dir := redistest.Start(t, redistest.WithAOF()), t.TempDir()
	data := things(t, "readings", readings)
	keys := filepath.Join(dir, "keys.json")
	writes := strings.TrimSpace(must(t, "", "key", "new", "sensors", "--data", data, "--write", "readings", "--append", "--keys", keys))
	reads := strings.TrimSpace(must(t, "", "key", "new", "partner", "--data", data, "--append", "--keys", keys))
	s := up(t, filepath.Join(dir, "run"), "--data", data, "--redis", redis.URL(), "--keys", keys, "--no-sample")

	role := &system{api: freeAddr(t), ops: freeAddr(t)}
	role.process = start(t, "ingest", "--data", data, "--redis", redis.URL(), "--keys", keys, "--listen", role.api, "--ops-listen", role.ops)
	role.awaitReady()
	for _, address := range []string{role.api, s.api} {
		if status, text := post(t, address, "", reads, rows(1, 1)); status != http.StatusForbidden {
			t.Errorf("a key that reads: %d %s", status, text)
		}
	}
	if status, text := post(t, role.api, "?durability=stored", writes, rows(1, 100)); status != http.StatusOK || !strings.Contains(text, `"events":100,"rejected":0,"stored":true`) {
		t.Errorf("by ingest: %d %s", status, text)
	}
	if status, text := post(t, s.api, "?durability=stored", writes, rows(51, 150)); status != http.StatusOK {
		t.Errorf("by up: %d %s", status, text)
	}
	if status, text := post(t, role.api, "", writes, rows(1, 2)+"{}\n"); status != http.StatusUnprocessableEntity || !strings.Contains(text, `"line":3`) {
		t.Errorf("an invalid one: %d %s", status, text)
	}
	s.awaitEvents("readings", "stored", 150)
	s.awaitEvents("readings", "duplicate", 50)
	if got := role.metric(`estela_ingest_events_total{dataset="readings",outcome="valid"}`); got != "100" {
		t.Errorf("ingest has counted %s", got)
	}
	if got := role.metric(`estela_ingest_requests_total{dataset="readings",problem="invalid-events",status="422"}`); got != "1" {
		t.Errorf("ingest has refused %s", got)
	}
	for _, of := range []*system{role, s} {
		if got := of.metric(`estela_ingest_in_flight_max`); got != "256" {
			t.Errorf("%s takes on %s POSTs", of.ops, got)
		}
	}
	// Nobody reads from it, and it goes on without those who do.
	if text, err := get("http://" + role.api + "/v1/readings/warmest"); err == nil {
		t.Errorf("ingest serves %s", text)
	}
	if code := s.interrupt(); code != 0 {
		t.Errorf("up: exit %d", code)
	}
	if status, text := post(t, role.api, "", writes, rows(200, 200)); status != http.StatusAccepted {
		t.Errorf("without a worker: %d %s", status, text)
	}
	if code := role.interrupt(); code != 0 {
		t.Errorf("ingest: exit %d", code)
	}
	// A contract with a property that the worker's lacks: its values would be lost.
	s = up(t, filepath.Join(dir, "run"), "--data", data, "--redis", redis.URL(), "--no-sample")
	wider := things(t, "readings", strings.Replace(readings, `"celsius": {`, `"humidity": {"type": "number"}, "celsius": {`, 1))
	if code, _, errs := estela(t, "", "ingest", "--data", wider, "--redis", redis.URL(), "--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"); code != 3 || !strings.Contains(errs, "humidity") {
		t.Errorf("a wider contract: exit %d, %s", code, errs)
	}
	if code := s.interrupt(); code != 0 {
		t.Errorf("up: exit %d", code)
	}
}

// TestE2EPostNeedsKeys: beyond loopback, and under any name, nobody writes without a key.
func TestE2EPostNeedsKeys(t *testing.T) {
	t.Parallel()
	redis, data, dir := redistest.Start(t), things(t, "readings", readings), t.TempDir()
	for _, beyond := range []string{"127.0.0.1:", "0.0.0.0:"} {
		s := &system{api: freeAddr(t), ops: freeAddr(t)}
		_, port, _ := strings.Cut(s.api, ":")
		s.process = start(t, "up", "--data", data, "--data-dir", dir, "--redis", redis.URL(), "--no-sample", "--anonymous",
			"--listen", beyond+port, "--ops-listen", s.ops)
		s.awaitReady()
		if status, text := post(t, s.api, "", "", rows(1, 1)); status != http.StatusMethodNotAllowed {
			t.Errorf("%s: %d %s", beyond, status, text)
		}
		if code := s.interrupt(); code != 0 {
			t.Errorf("exit %d", code)
		}
	}
	code, _, errs := estela(t, "", "ingest", "--data", data, "--redis", redis.URL(), "--listen", "0.0.0.0:0", "--ops-listen", "127.0.0.1:0")
	if code != 2 || !strings.Contains(errs, "give --keys FILE") {
		t.Errorf("ingest for all: exit %d, %s", code, errs)
	}
	s := up(t, dir, "--data", data, "--redis", redis.URL(), "--no-sample")
	if status, text := post(t, s.api, "", "", rows(1, 1)); status != http.StatusAccepted {
		t.Errorf("on loopback: %d %s", status, text)
	}
}
