package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/endpoint"
)

// keyFile writes keys to a file and returns their secrets by name.
func keyFile(t *testing.T, file string, keys ...access.Key) map[string]string {
	t.Helper()
	secrets := map[string]string{}
	for i := range keys {
		secret, key := access.NewKey(keys[i].Name, keys[i].Datasets)
		key.Rate, key.Expires = keys[i].Rate, keys[i].Expires
		keys[i], secrets[key.Name] = key, secret
	}
	text, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, file, text)
	return secrets
}

func TestKeys(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.json")
	past := time.Now().Add(-time.Minute)
	secrets := keyFile(t, file,
		access.Key{Name: "all", Datasets: []string{"*"}}, access.Key{Name: "test", Datasets: []string{"test"}},
		access.Key{Name: "other", Datasets: []string{"other"}}, access.Key{Name: "old", Datasets: []string{"*"}, Expires: &past})
	keys, err := access.LoadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	i := setup(t, "SELECT 1", map[string]string{"one": "-- One.\n-- cache: 1h\nSELECT 1 AS n"}, func(cfg *api.Config) {
		cfg.Access, cfg.AccessLog = &access.Authenticator{Keys: keys}, "all"
	})
	ask := func(path, authorization string) (int, http.Header, string) {
		status, header, body := i.body(t, path, "Authorization", authorization)
		return status, header, string(body)
	}
	for authorization, want := range map[string]int{
		"Bearer " + secrets["all"]: 200, "Bearer " + secrets["test"]: 200, "Bearer " + secrets["other"]: 403, "Bearer " + secrets["old"]: 401,
		"": 401, "Bearer ": 401, "Bearer estela_x": 401, "Basic " + secrets["all"]: 401, secrets["all"]: 401, "Bearer " + secrets["all"] + "x": 401,
	} {
		for _, path := range []string{"/v1/test/one", "/v1/test/one?format=csv"} { // cached or not
			status, header, body := ask(path, authorization)
			if status != want || status == 401 && !strings.HasPrefix(header.Get("WWW-Authenticate"), "Bearer ") {
				t.Errorf("%s with %.12s…: %d, want %d: %s", path, authorization, status, want, body)
			}
			if status == 200 && !strings.HasPrefix(header.Get("Cache-Control"), "private, ") {
				t.Errorf("Cache-Control: %s", header.Get("Cache-Control"))
			}
		}
	}
	for path, want := range map[string]int{"/v1": 401, "/v1/test/none": 401, "/docs": 401, "/openapi.json": 401, "/docs/problems": 401} {
		if status, _, body := ask(path, ""); status != want {
			t.Errorf("%s without a key: %d %s", path, status, body)
		}
	}
	// Rotation: the file is rewritten, without a restart.
	rotated := keyFile(t, file, access.Key{Name: "all", Datasets: []string{"*"}})
	if err := keys.Reload(); err != nil {
		t.Fatal(err)
	}
	for secret, want := range map[string]int{secrets["all"]: 401, secrets["test"]: 401, rotated["all"]: 200} {
		if status, _, _ := ask("/v1/test/one", "Bearer "+secret); status != want {
			t.Errorf("after the rotation: %d, want %d", status, want)
		}
	}
	// An invalid file keeps the previous keys.
	writeFile(t, file, []byte("["))
	if err := keys.Reload(); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("reload: %v", err)
	}
	if status, _, _ := ask("/v1/test/one", "Bearer "+rotated["all"]); status != 200 {
		t.Errorf("after a broken file: %d", status)
	}
	log := i.log.String()
	for _, secret := range []string{secrets["all"], secrets["test"], rotated["all"], "Bearer"} {
		if strings.Contains(log, secret) {
			t.Errorf("the log has a secret:\n%s", log)
		}
	}
	if !strings.Contains(log, "key=all") || !strings.Contains(log, "endpoint=test/one") {
		t.Errorf("the log says not whose key it was:\n%s", log)
	}
}

// A client over its rate limit gets 429; others are not affected.
func TestRateLimit(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.json")
	secrets := keyFile(t, file, access.Key{Name: "slow", Datasets: []string{"*"}, Rate: 2}, access.Key{Name: "fast", Datasets: []string{"*"}})
	keys, err := access.LoadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	i := setup(t, "SELECT 1", map[string]string{"one": "-- One.\n-- cache: 1h\nSELECT 1 AS n"}, func(cfg *api.Config) {
		cfg.Access, cfg.Rate = &access.Authenticator{Keys: keys}, 1000
	})
	statuses := map[string]map[int]int{"slow": {}, "fast": {}}
	for range 10 {
		for name := range statuses {
			status, header, body := i.body(t, "/v1/test/one", "Authorization", "Bearer "+secrets[name])
			statuses[name][status]++
			policy := map[string]string{"slow": `"requests";q=2;w=1`, "fast": `"requests";q=1000;w=1`}[name]
			if header.Get("RateLimit-Policy") != policy || header.Get("RateLimit") == "" {
				t.Errorf("%s: %v", name, header)
			}
			if status == http.StatusTooManyRequests && (header.Get("Retry-After") == "" || !strings.Contains(string(body), "rate-limited")) {
				t.Errorf("%v %s", header, body)
			}
		}
	}
	if statuses["fast"][200] != 10 || statuses["slow"][429] < 6 || statuses["slow"][200] < 2 {
		t.Errorf("%v", statuses)
	}
}

// Queries beyond those that run and wait are refused at once, with Retry-After.
func TestOverload(t *testing.T) {
	t.Parallel()
	i, c := setupCounted(t, map[string]string{"n": "-- N.\n-- param: n integer required\nSELECT $n AS n"}, func(cfg *api.Config) {
		cfg.MaxRunning, cfg.MaxWaiting = 3, 6 // of which one client has 2 and 3
	})
	i.rows(t, "/v1/test/n?n=0")
	c.gate = make(chan struct{})
	var group sync.WaitGroup
	var mu sync.Mutex
	statuses := map[int]int{}
	for n := range 20 {
		group.Go(func() {
			r := i.get(t, fmt.Sprintf("/v1/test/n?n=%d", n+1))
			mu.Lock()
			defer mu.Unlock()
			statuses[r.status]++
			if r.status == http.StatusServiceUnavailable {
				if r.Type != "/docs/problems/overloaded" || r.header.Get("Retry-After") == "" {
					t.Errorf("%s", r.text)
				}
				if statuses[r.status] == 15 {
					close(c.gate)
				}
			}
		})
	}
	group.Wait()
	if statuses[200] != 5 || statuses[503] != 15 {
		t.Errorf("%v", statuses)
	}
}

// A query over its time limit is interrupted in DuckDB.
func TestTimeoutInterrupts(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{
		"slow": "-- Slow.\n-- limit: time=1s\nSELECT count(*) AS n FROM range(100000000000) a, range(100) b WHERE a.range % 7 = b.range",
	}, func(cfg *api.Config) { cfg.MaxRunning, cfg.MaxWaiting = 1, 1 })
	for range 3 { // each has the only place again when the one before has ended
		start := time.Now()
		r := i.get(t, "/v1/test/slow")
		if r.status != http.StatusServiceUnavailable || r.Type != "/docs/problems/query-timeout" || time.Since(start) > 5*time.Second {
			t.Errorf("after %s: %s", time.Since(start), r.text)
		}
	}
	eventually(t, "the connections are free", func() bool { return i.db.Stats().InUse == 0 })
}

// Pages of other origins may read answers only if Config.Origins has them (CORS).
func TestCORS(t *testing.T) {
	t.Parallel()
	files := map[string]string{"one": "-- One.\nSELECT 1 AS n"}
	closed := setup(t, "SELECT 1", files)
	open := setup(t, "SELECT 1", files, func(cfg *api.Config) { cfg.Origins = []string{"https://a.example"} })
	for origin, want := range map[string]string{"https://a.example": "https://a.example", "https://b.example": ""} {
		if _, header, _ := closed.body(t, "/v1/test/one", "Origin", origin); header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("closed to %s: %v", origin, header)
		}
		if _, header, _ := open.body(t, "/v1/test/one", "Origin", origin); header.Get("Access-Control-Allow-Origin") != want {
			t.Errorf("open to %s: %v", origin, header)
		}
	}
}

// DNS rebinding: a page in a browser resolves its own name to 127.0.0.1 and sends requests there.
func TestOtherNamesAreRefused(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"one": "-- One.\n-- cache: 1m\nSELECT 1 AS n"}, func(cfg *api.Config) { cfg.LocalOnly = true })
	port := i.URL[strings.LastIndexByte(i.URL, ':'):]
	ask := func(host, path string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, i.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = host
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	for _, path := range []string{"/v1/test/one", "/v1/test/one", "/v1", "/openapi.json", "/docs"} { // the second time from the cache
		for _, host := range []string{"localhost", "localhost" + port, "LOCALHOST.:1", "127.0.0.1" + port, "127.1.2.3", "[::1]" + port, "[::1]"} {
			if status := ask(host, path); status != http.StatusOK {
				t.Errorf("%s of %s: %d", path, host, status)
			}
		}
		for _, host := range []string{"evil.example", "evil.example" + port, "localhost.evil.example", "127.0.0.1.evil.example" + port, "10.0.0.1" + port, "0.0.0.0" + port, "[fe80::1]"} {
			if status := ask(host, path); status != http.StatusMisdirectedRequest {
				t.Errorf("%s of %s: %d", path, host, status)
			}
		}
	}
	// Host is ignored if the request target is absolute.
	for target, want := range map[string]int{"http://evil.example/v1": http.StatusMisdirectedRequest, "http://localhost/v1/test/one": http.StatusOK} {
		if statuses, _ := raw(t, i.URL, "GET "+target+" HTTP/1.1\r\nHost: localhost\r\n\r\n"); len(statuses) != 1 || statuses[0] != want {
			t.Errorf("%s: %v", target, statuses)
		}
	}
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"one": "-- One.\nSELECT 1 AS n"})
	for _, path := range []string{"/v1", "/v1/test/one", "/docs", "/nothing"} {
		_, header, _ := i.body(t, path, "X-Request-ID", "from-the-client")
		for name, want := range map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Request-Id": "from-the-client", "Content-Security-Policy": "frame-ancestors 'none'",
		} {
			if !strings.HasSuffix(header.Get(name), want) {
				t.Errorf("%s: %s is %q", path, name, header.Get(name))
			}
		}
	}
	chart := setup(t, "SELECT 1", map[string]string{"one": "-- One.\n-- chart: bar x=n y=n\nSELECT 1 AS n"})
	if _, header, _ := chart.body(t, "/v1/test/one?format=svg"); !strings.HasPrefix(header.Get("Content-Security-Policy"), "default-src 'none';") {
		t.Errorf("a picture could load or run something: %q", header.Get("Content-Security-Policy"))
	}
	if _, header, _ := i.body(t, "/v1", "X-Request-ID", "a\tb {}"); strings.Contains(header.Get("X-Request-Id"), "{") {
		t.Errorf("took the request ID %q", header.Get("X-Request-Id"))
	}
}

// Endpoints can be reloaded while the server runs; an invalid one keeps the previous ones.
func TestReload(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"one": "-- One.\n-- cache: 1h\nSELECT 1 AS n"})
	i.rows(t, "/v1/test/one")
	load := func(name, text string) error {
		e, err := endpoint.Parse(name+".sql", text)
		if err != nil {
			t.Fatal(err)
		}
		return i.api.Load(t.Context(), []endpoint.Dataset{{Name: "test", Endpoints: []endpoint.Endpoint{e}}})
	}
	if err := load("one", "-- One.\n-- cache: 1h\nSELECT 2 AS n"); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(i.rows(t, "/v1/test/one").Data[0]["n"]); got != "2" {
		t.Errorf("after the change: %s", got)
	}
	if err := load("one", "-- One.\nSELECT n FROM nowhere"); err == nil {
		t.Error("a fault was loaded")
	}
	i.rows(t, "/v1/test/one")
	if err := load("two", "-- Two.\nSELECT 2 AS n"); err != nil {
		t.Fatal(err)
	}
	if r := i.get(t, "/v1/test/one"); r.status != http.StatusNotFound || !strings.Contains(r.Detail, "/v1/test/two") {
		t.Errorf("%s", r.text)
	}
	if !strings.Contains(i.get(t, "/openapi.json").text, "/v1/test/two") {
		t.Error("the document lacks the new endpoint")
	}
}
