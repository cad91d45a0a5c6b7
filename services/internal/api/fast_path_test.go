package api_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
	"pgregory.net/rapid"

	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/api"
)

// fastPath is a server whose endpoint is cached, with keys, and what it has counted.
type fastPath struct {
	instance

	keys     *access.Keys
	tokens   tokenMaker
	file     string
	secrets  map[string]string
	tag      string
	observed []string
	// accounted is what Config.Account was told.
	accounted []api.Answer
}

func newFastPath(t *testing.T) *fastPath {
	t.Helper()
	f := &fastPath{file: filepath.Join(t.TempDir(), "keys.json")}
	soon, past := time.Now().Add(time.Hour), time.Now().Add(-time.Minute)
	f.secrets = keyFile(t, f.file,
		access.Key{Name: "all", Datasets: []string{"*"}}, access.Key{Name: "test", Datasets: []string{"test"}, Rate: 2_000_000, Expires: &soon},
		access.Key{Name: "other", Datasets: []string{"other"}}, access.Key{Name: "old", Datasets: []string{"*"}, Expires: &past})
	var err error
	if f.keys, err = access.LoadKeys(f.file); err != nil {
		t.Fatal(err)
	}
	f.tokens = newTokens(t)
	f.secrets["token"] = f.tokens.token(t, "customer", map[string]string{"n": "1"}, "test/one")
	f.instance = setup(t, "SELECT 1", map[string]string{"one": "-- One.\n-- param: n integer\n-- cache: 1h\nSELECT coalesce($n, 0) AS n, repeat('x', 2000) AS x"}, func(cfg *api.Config) {
		cfg.Access, cfg.Rate, cfg.AccessLog = &access.Authenticator{Keys: f.keys, Tokens: f.tokens.Tokens}, 1_000_000, "errors"
		cfg.Observe = func(endpoint string, status int, _ float64) {
			f.observed = append(f.observed, fmt.Sprint(endpoint, " ", status))
		}
		cfg.Account = func(a api.Answer) {
			a.Took = 0
			f.accounted = append(f.accounted, a)
		}
	})
	for _, asked := range [][2]string{{"", "token"}, {"", "all"}, {"?n=1", "all"}} { // fills the cache
		query, name := asked[0], asked[1]
		for _, coding := range []string{"identity", "gzip", "zstd"} {
			answer := f.ask(t, "GET /v1/test/one"+query+" HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+f.secrets[name]+"\r\nAccept-Encoding: "+coding+"\r\n\r\n", f.api.Route)
			if answer.StatusCode() != http.StatusOK {
				t.Fatalf("%s: %s", query, answer)
			}
			f.tag = string(answer.Header.Peek("ETag"))
		}
	}
	return f
}

// request parses a request as it is sent; nil if it is none.
func request(raw string) *fasthttp.RequestCtx {
	var sent fasthttp.Request
	if err := sent.Read(bufio.NewReader(strings.NewReader(raw))); err != nil {
		return nil
	}
	c := &fasthttp.RequestCtx{}
	c.Init(&sent, &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1)}, nil)
	return c
}

func (f *fastPath) ask(t interface{ Fatalf(string, ...any) }, raw string, by func(*fasthttp.RequestCtx)) *fasthttp.Response {
	c := request(raw)
	if c == nil {
		t.Fatalf("it is no request: %q", raw)
	}
	by(c)
	return &c.Response
}

// unvarying returns an answer as it is sent, in the order of the headers' names, without what differs
// from one request to the next.
func unvarying(r *fasthttp.Response) string {
	lines := strings.Split(r.Header.String(), "\r\n")
	for i, line := range lines {
		name, value, _ := strings.Cut(line, ": ")
		if slices.Contains([]string{"Date", "Age", "Ratelimit"}, name) || name == "X-Request-Id" && value != "mine" {
			lines[i] = name
		}
	}
	slices.Sort(lines[1:])
	return strings.Join(slices.DeleteFunc(lines, func(line string) bool { return line == "Age" }), "\n") + string(r.Body())
}

// draw returns a request that the fast path takes, but for up to three parts, which may be anything.
func (f *fastPath) draw(t *rapid.T) string {
	valid := f.secrets[rapid.SampledFrom([]string{"all", "test", "token"}).Draw(t, "valid")]
	secrets := []string{"", "estela_x", strings.Repeat("0", 59), valid[:len(valid)-1], valid + "0", strings.ToLower(valid)}
	for _, secret := range f.secrets {
		secrets = append(secrets, secret)
	}
	secret := rapid.SampledFrom(secrets).Draw(t, "secret")
	parts := [][]string{ // the usual first, which is not drawn as often as it is left
		{"GET", "HEAD", "POST", "get"},
		{" /v1/test/one", " /v1/test/one/", " /v1/test/%6fne", " /v1/test/two", " //v1/test/one", " http://x/v1/test/one", " /v1/other/one"},
		{"", "?n=1", "?n=%31", "?n=2", "?n=1&n=1", "?format=csv", "?x=1", "?"},
		{" HTTP/1.1\r\n", " HTTP/1.0\r\n", " HTTP/1.2\r\n"},
		{"Authorization: Bearer " + valid, "Authorization: Bearer " + secret, "Authorization: Bearer " + secret, "authorization: bearer " + valid, "Authorization: Bearer  " + valid + " ", "Authorization: Basic " + valid, "Authorization: Bearer\t" + valid, "Authorization: " + valid, "Authorization: Bearer " + secret + "\r\nAuthorization: Bearer " + valid, "Authorization:\r\nAuthorization: Bearer " + valid, ""},
		{"Host: x", "Host: y", ""},
		{"", "Accept: */*", "Accept: application/json", "Accept: text/csv", "Accept: application/json\r\nAccept: text/csv", "Accept: text/csv;q=1, */*;q=0.1", "Accept:"},
		{"", "Accept-Encoding: gzip, deflate, br, zstd", "Accept-Encoding: gzip", "Accept-Encoding: gzip\r\nAccept-Encoding: zstd", "Accept-Encoding: gzip;q=0, identity;q=0", "Accept-Encoding: *;q=0", "Accept-Encoding: identity"},
		{"", "If-None-Match: " + f.tag, "If-None-Match: *", `If-None-Match: "x"`, "If-None-Match: \"x\"\r\nIf-None-Match: " + f.tag},
		{"", "X-Request-ID: mine", "X-Request-ID: not valid", "X-Request-ID: mine\r\nX-Request-ID: other", "X-Request-ID:\r\nX-Request-ID: mine"},
		{"", "Content-Length: 1", "Transfer-Encoding: chunked", "Cookie: a=b", "Connection: close", "Origin: http://x"},
	}
	chosen := make([]string, len(parts))
	for i := range parts {
		chosen[i] = parts[i][0]
	}
	for _, i := range rapid.SliceOfN(rapid.IntRange(0, len(parts)-1), 0, 3).Draw(t, "changed") {
		chosen[i] = rapid.SampledFrom(parts[i]).Draw(t, "part")
	}
	raw := strings.Join(chosen[:4], "")
	for _, line := range chosen[4:] {
		if line != "" {
			raw += line + "\r\n"
		}
	}
	return raw + "\r\n"
}

// Whatever the fast path answers, the router would have answered alike, and what it leaves to the router it
// has not touched. So no key, limit or header counts for less in front of the router.
func TestFastPathAnswersAsTheRouter(t *testing.T) {
	t.Parallel()
	f := newFastPath(t)
	served := map[int]int{}
	check := func(t *testing.T) {
		t.Helper()
		one := func(t *rapid.T) {
			raw := f.draw(t)
			fast := request(raw)
			if fast == nil {
				return
			}
			f.observed, f.accounted = nil, nil
			if !f.api.ServeCached(fast) {
				if untouched := request(raw); unvarying(&fast.Response) != unvarying(&untouched.Response) || len(f.observed)+len(f.accounted) > 0 {
					t.Fatalf("it was left to the router, but has\n%s\n%v", &fast.Response, f.observed)
				}
				return
			}
			status, counted := fast.Response.StatusCode(), fmt.Sprint(f.observed)
			served[status]++
			accounted := f.accounted
			f.observed, f.accounted = nil, nil
			slow := f.ask(t, raw, f.api.Route)
			if got, want := unvarying(&fast.Response), unvarying(slow); got != want {
				t.Fatalf("%q is answered\n%s\nand by the router\n%s", raw, got, want)
			}
			if want := fmt.Sprintf("[test/one %d]", status); counted != want || fmt.Sprint(f.observed) != want {
				t.Fatalf("it was counted as %s, and by the router as %v", counted, f.observed)
			}
			if len(accounted) != 1 || !slices.Equal(accounted, f.accounted) {
				t.Fatalf("it was accounted as %+v, and by the router as %+v", accounted, f.accounted)
			}
		}
		rapid.Check(t, func(t *rapid.T) {
			for range 20 {
				one(t)
			}
		})
	}
	check(t)
	if served[http.StatusOK] == 0 || served[http.StatusNotModified] == 0 {
		t.Fatalf("the fast path served %v only", served)
	}
	before := served
	valid := "GET /v1/test/one HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + f.secrets["all"] + "\r\n\r\n"
	if !f.api.ServeCached(request(valid)) {
		t.Fatal("a valid key is left to the router")
	}
	// Keys are revoked, then the files are removed: none of the old ones is served any more.
	writeFile(t, f.tokens.file, []byte(`{"keys":[]}`))
	if err := f.tokens.Reload(); err != nil {
		t.Fatal(err)
	}
	keyFile(t, f.file, access.Key{Name: "new", Datasets: []string{"*"}})
	if err := f.keys.Reload(); err != nil {
		t.Fatal(err)
	}
	served = map[int]int{}
	check(t)
	if err := errors.Join(os.Remove(f.file), os.Remove(f.tokens.file)); err != nil {
		t.Fatal(err)
	}
	_, _ = f.keys.Reload(), f.tokens.Reload()
	check(t)
	if len(served) > 0 {
		t.Errorf("revoked keys were served: %v, before %v", served, before)
	}
}

// A key that expires, and a client without tokens, are left to the router, which refuses them.
func TestFastPathRefusesNobodyItself(t *testing.T) {
	t.Parallel()
	f := newFastPath(t)
	soon := time.Now().Add(2 * time.Second)
	secrets := keyFile(t, f.file, access.Key{Name: "slow", Datasets: []string{"*"}, Rate: 1}, access.Key{Name: "ends", Datasets: []string{"*"}, Expires: &soon})
	if err := f.keys.Reload(); err != nil {
		t.Fatal(err)
	}
	of := func(name string) string {
		return "GET /v1/test/one HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + secrets[name] + "\r\n\r\n"
	}
	start, fast := time.Now(), 0
	for range 1000 {
		if f.api.ServeCached(request(of("slow"))) {
			fast++
		}
	}
	if most := 2 + int(time.Since(start).Seconds()); fast == 0 || fast > most {
		t.Errorf("%d of 1000 requests were served at one a second", fast)
	}
	for f.api.ServeCached(request(of("ends"))) && time.Since(start) < time.Minute {
		time.Sleep(10 * time.Millisecond)
	}
	if now := time.Now(); now.Before(soon) || f.ask(t, of("ends"), f.api.Route).StatusCode() != http.StatusUnauthorized {
		t.Errorf("a key that ends at %v was refused at %v, or by the router served", soon, now)
	}
}
