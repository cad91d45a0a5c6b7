package api_test

import (
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/api"
)

// accounts collects what is accounted.
type accounts struct {
	mu  sync.Mutex
	all []api.Answer
}

func (a *accounts) configure(cfg *api.Config) {
	cfg.Account = func(one api.Answer) {
		a.mu.Lock()
		defer a.mu.Unlock()
		if one.Took <= 0 {
			panic("an answer took no time")
		}
		one.Took = 0
		a.all = append(a.all, one)
	}
}

// take returns what was accounted since, once it is n answers; then there are no others.
func (a *accounts) take(t *testing.T, n int) []api.Answer {
	t.Helper()
	eventually(t, fmt.Sprint(n, " answers are accounted"), func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		return len(a.all) >= n
	})
	a.mu.Lock()
	defer a.mu.Unlock()
	all := a.all
	a.all = nil
	if len(all) != n {
		t.Fatalf("%d answers are accounted instead of %d: %v", len(all), n, all)
	}
	return all
}

// setupAccounts serves endpoints to keys, the small one cached, and "large" in a file.
func setupAccounts(t *testing.T) (i instance, a *accounts, secrets map[string]string) {
	t.Helper()
	a = &accounts{}
	file := filepath.Join(t.TempDir(), "keys.json")
	secrets = keyFile(t, file, access.Key{Name: "partner", Datasets: []string{"test"}}, access.Key{Name: "stranger", Datasets: []string{"other"}})
	keys, err := access.LoadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	return setup(t, "SELECT 1", map[string]string{
		"small": "-- Small.\n-- param: n integer default=3 minimum=0 maximum=9\n-- cache: 1h\nSELECT i FROM range($n) t(i)",
		"large": "-- Large.\n-- limit: rows=100000\nSELECT repeat('x', 1000) AS x FROM range(8000) t(i)",
		"fails": "-- Fails.\nSELECT error('no') AS x",
	}, func(cfg *api.Config) { cfg.Access = &access.Authenticator{Keys: keys} }, a.configure), a, secrets
}

// Each answer is accounted once, with what was sent of it.
func TestAccount(t *testing.T) {
	t.Parallel()
	i, a, secrets := setupAccounts(t)
	ask := func(method, path, secret string, headers ...string) (*http.Response, int64) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, i.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Accept-Encoding", "identity")
		if secret != "" {
			req.Header.Set("Authorization", "Bearer "+secret)
		}
		for n := 0; n < len(headers); n += 2 {
			req.Header.Set(headers[n], headers[n+1])
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		size, err := io.Copy(io.Discard, res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res, size
	}
	first, _ := ask(http.MethodGet, "/v1/test/small", secrets["partner"])
	tag := first.Header.Get("ETag")
	a.take(t, 1)
	var whole int64
	for _, test := range []struct {
		name, method, path, secret string
		headers                    []string
		want                       api.Answer // Bytes -1: as received
	}{
		{"from the cache", "GET", "/v1/test/small", "partner", nil, api.Answer{Subject: "partner", Endpoint: "test/small", Status: 200, Cached: true, Rows: 3, Bytes: -1}},
		{"not modified", "GET", "/v1/test/small", "partner", []string{"If-None-Match", tag}, api.Answer{Subject: "partner", Endpoint: "test/small", Status: 304, Cached: true}},
		{"not modified, by the router", "GET", "/v1/test/small/", "partner", []string{"If-None-Match", tag}, api.Answer{Subject: "partner", Endpoint: "test/small", Status: 304, Cached: true}},
		{"cached, by the router", "GET", "/v1/test/small/", "partner", nil, api.Answer{Subject: "partner", Endpoint: "test/small", Status: 200, Cached: true, Rows: 3, Bytes: -1}},
		{"head", "HEAD", "/v1/test/small", "partner", nil, api.Answer{Subject: "partner", Endpoint: "test/small", Status: 200, Cached: true}},
		{"a query", "GET", "/v1/test/small?n=5", "partner", nil, api.Answer{Subject: "partner", Endpoint: "test/small", Status: 200, Rows: 5, Bytes: -1}},
		{"its repetition", "GET", "/v1/test/small?n=5", "partner", nil, api.Answer{Subject: "partner", Endpoint: "test/small", Status: 200, Cached: true, Rows: 5, Bytes: -1}},
		{"no rows", "GET", "/v1/test/small?n=0", "partner", nil, api.Answer{Subject: "partner", Endpoint: "test/small", Status: 200, Bytes: -1}},
		{"another format", "GET", "/v1/test/small?format=csv", "partner", nil, api.Answer{Subject: "partner", Endpoint: "test/small", Status: 200, Rows: 3, Bytes: -1}},
		{"a description", "GET", "/v1/test/small?format=schema", "partner", nil, api.Answer{Subject: "partner", Endpoint: "test/small", Status: 200, Bytes: -1}},
		{"in a file", "GET", "/v1/test/large", "partner", nil, api.Answer{Subject: "partner", Endpoint: "test/large", Status: 200, Rows: 8000, Bytes: -1}},
		{"compressed", "GET", "/v1/test/large", "partner", []string{"Accept-Encoding", "gzip"}, api.Answer{Subject: "partner", Endpoint: "test/large", Status: 200, Rows: 8000, Bytes: -1}},
		{"head of a file", "HEAD", "/v1/test/large", "partner", nil, api.Answer{Subject: "partner", Endpoint: "test/large", Status: 200}},
		{"a parameter", "GET", "/v1/test/small?n=99", "partner", nil, api.Answer{Subject: "partner", Endpoint: "test/small", Status: 400, Bytes: -1}},
		{"head of a problem", "HEAD", "/v1/test/small?n=99", "partner", nil, api.Answer{Subject: "partner", Endpoint: "test/small", Status: 400}},
		{"fails", "GET", "/v1/test/fails", "partner", nil, api.Answer{Subject: "partner", Endpoint: "test/fails", Status: 500, Bytes: -1}},
		{"no key", "GET", "/v1/test/small", "", nil, api.Answer{Endpoint: "test/small", Status: 401, Bytes: -1}},
		{"a wrong key", "GET", "/v1/test/small", "nobody", nil, api.Answer{Endpoint: "test/small", Status: 401, Bytes: -1}},
		{"of another dataset", "GET", "/v1/test/small", "stranger", nil, api.Answer{Subject: "stranger", Endpoint: "other", Status: 403, Bytes: -1}},
		{"of another dataset, not there", "GET", "/v1/test/gone", "stranger", nil, api.Answer{Subject: "stranger", Endpoint: "other", Status: 403, Bytes: -1}},
		{"unknown", "GET", "/nothing", "partner", nil, api.Answer{Endpoint: "other", Status: 404, Bytes: -1}},
		{"a method", "DELETE", "/v1/test/small", "partner", nil, api.Answer{Endpoint: "other", Status: 405, Bytes: -1}},
		{"index", "GET", "/v1", "partner", nil, api.Answer{Subject: "partner", Endpoint: "index", Status: 200, Bytes: -1}},
		{"documentation", "GET", "/openapi.json", "partner", nil, api.Answer{Subject: "partner", Endpoint: "openapi", Status: 200, Bytes: -1}},
		{"probe", "GET", "/livez", "", nil, api.Answer{Endpoint: "livez", Status: 200, Bytes: -1}},
	} {
		secret := secrets[test.secret]
		if test.secret == "nobody" {
			secret = "estela_x"
		}
		res, size := ask(test.method, test.path, secret, test.headers...)
		if test.want.Bytes < 0 {
			test.want.Bytes = size
		}
		if got := a.take(t, 1)[0]; got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
		switch test.name {
		case "in a file":
			whole = size
		case "compressed":
			if res.Header.Get("Content-Encoding") != "gzip" || size >= whole {
				t.Errorf("%d of %d bytes: %v", size, whole, res.Header)
			}
		}
	}
}

// A client that leaves half-way is accounted up to there if the answer is in a file; and with no bytes if it
// leaves before there is an answer.
func TestAccountOfThoseWhoLeave(t *testing.T) {
	t.Parallel()
	a := &accounts{}
	i := setup(t, "SELECT 1", map[string]string{"large": "-- Large.\n-- limit: rows=100000\nSELECT md5(CAST(i AS VARCHAR)) || repeat('x', 1000) AS x FROM range(60000) t(i)"}, a.configure)
	conn := i.begin(t, "/v1/test/large", "Accept-Encoding: identity")
	res := answered(t, conn)
	if _, err := io.CopyN(io.Discard, res.Body, 100_000); err != nil {
		t.Fatal(err)
	}
	conn.Close()
	got := a.take(t, 1)[0]
	if got.Bytes < 100_000 || got.Bytes > res.ContentLength/2 || got.Status != http.StatusOK || got.Rows != 60_000 {
		t.Errorf("of %d bytes: %+v", res.ContentLength, got)
	}
	eventually(t, "its file is gone", func() bool { return i.api.Spooled() == 0 })

	gate, _ := setupGated(t, nil, map[string]string{"n": "-- N.\nSELECT 1 AS n"}, a.configure)
	gate.begin(t, "/v1/test/n").Close()
	if got, want := a.take(t, 1)[0], (api.Answer{Endpoint: "test/n", Status: 499}); got != want {
		t.Errorf("before there is an answer: %+v", got)
	}
}

// Those who share a query are accounted each, and so are those whom the cache answers meanwhile.
func TestAccountOfMany(t *testing.T) {
	t.Parallel()
	i, a, secrets := setupAccounts(t)
	const clients, each = 8, 25
	var asking sync.WaitGroup
	for range clients {
		asking.Go(func() {
			for n := range each {
				req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprint(i.URL, "/v1/test/small?n=", n%5), strings.NewReader(""))
				if err != nil {
					t.Error(err)
					return
				}
				req.Header.Set("Authorization", "Bearer "+secrets["partner"])
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		})
	}
	asking.Wait()
	rows := 0
	for _, one := range a.take(t, clients*each) {
		rows += one.Rows
		if one.Subject != "partner" || one.Status != http.StatusOK {
			t.Errorf("%+v", one)
		}
	}
	if want := clients * each * (0 + 1 + 2 + 3 + 4) / 5; rows != want {
		t.Errorf("%d rows, want %d", rows, want)
	}
}

// What an agent's tool asks is accounted once, to its endpoint; the messages around it as mcp.
func TestAccountOfAgents(t *testing.T) {
	t.Parallel()
	i, a, secrets := setupAccounts(t)
	session := i.agent(t, versions[0], secrets["partner"])
	if _, err := session.CallTool(t.Context(), &sdk.CallToolParams{Name: "test_small", Arguments: map[string]any{"n": 4}}); err != nil {
		t.Fatal(err)
	}
	asked := 0
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, one := range a.all {
		switch {
		case one.Subject != "partner":
			t.Errorf("%+v", one)
		case one.Endpoint == "test/small" && one.Rows == 4:
			asked++
		case one.Endpoint != "mcp":
			t.Errorf("%+v", one)
		}
	}
	if asked != 1 {
		t.Errorf("the tool's request is accounted %d times: %+v", asked, a.all)
	}
}
