package api_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/golang-jwt/jwt/v5"

	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/endpoint"
)

// tokenMaker makes tokens that the API accepts.
type tokenMaker struct {
	*access.Tokens

	key  *access.SigningKey
	file string
}

func newTokens(t testing.TB) tokenMaker {
	t.Helper()
	key, err := access.NewSigningKey("EdDSA", "test")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "token-keys.json")
	if err := access.AppendTokenKey(file, key); err != nil {
		t.Fatal(err)
	}
	tokens, err := access.LoadTokens(file, access.DefaultAudience)
	if err != nil {
		t.Fatal(err)
	}
	return tokenMaker{tokens, key, file}
}

// token returns a token of the subject with pins (NAME, VALUE) for endpoints.
func (m tokenMaker) token(t testing.TB, subject string, pins map[string]string, endpoints ...string) string {
	t.Helper()
	c := &access.Claims{Endpoints: endpoints, Pins: pins}
	c.Subject, c.Audience = subject, jwt.ClaimStrings{access.DefaultAudience}
	c.IssuedAt, c.ExpiresAt = jwt.NewNumericDate(time.Now()), jwt.NewNumericDate(time.Now().Add(time.Hour))
	text, err := m.key.Sign(c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// The endpoints of two tenants' rows. What a tenant may not see has "bravo" in it or one of 777000 to 777399.
var tenantFiles = map[string]string{
	"list":  "-- Orders.\n-- param: tenant string required pattern=^[A-Z]+$ -- Whose they are.\n-- param: since string -- From this one.\n-- order: id\n-- cache: 1h\nSELECT id, note, amount FROM orders WHERE tenant = $tenant AND ($since IS NULL OR id >= $since)",
	"sum":   "-- Sums.\n-- param: tenant string required enum=ALPHA,BRAVO,NOBODY -- Whose they are.\n-- chart: bar x=note y=amount\n-- cache: 1h\nSELECT min(note) AS note, max(amount) AS amount, count(*) AS n FROM orders WHERE tenant = $tenant",
	"every": "-- Of one tenant or of all.\n-- param: tenant string -- Whose they are.\n-- order: id\nSELECT id, note, amount FROM orders WHERE $tenant IS NULL OR tenant = $tenant",
	"now":   "-- Volatile.\n-- param: tenant string default=BRAVO -- Whose they are.\n-- cache: 1h\nSELECT note, amount, now() AS at FROM orders WHERE tenant = $tenant ORDER BY id LIMIT 3",
	"large": "-- Too large to be cached.\n-- param: tenant string required -- Whose they are.\n-- limit: rows=100000\n-- cache: 1h\nSELECT note, amount, repeat(note || ' ', 100) AS x FROM orders, range(2) WHERE tenant = $tenant",
	"plain": "-- Of all tenants, without a parameter.\n-- cache: 1h\nSELECT note, amount FROM orders",
	"other": "-- Not in the tokens.\n-- param: tenant string required -- Whose they are.\n-- cache: 1h\nSELECT note, amount FROM orders WHERE tenant = $tenant",
}

var tenantEndpoints = []string{"list", "sum", "every", "now", "large"}

// tenants is a server of two tenants' rows. mallory has the token of ALPHA, the victim that of BRAVO.
type tenants struct {
	instance

	counted         *counted
	mallory, victim string
	key             string // reads all
	tokens          tokenMaker
	legit           map[string]string // mallory's own answers, by path
	attempts        int
}

func newTenants(t *testing.T) *tenants {
	t.Helper()
	s := &tenants{tokens: newTokens(t), counted: &counted{}, legit: map[string]string{}}
	file := filepath.Join(t.TempDir(), "keys.json")
	s.key = keyFile(t, file, access.Key{Name: "all", Datasets: []string{"*"}})["all"]
	keys, err := access.LoadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	s.instance = setup(t, `CREATE TABLE orders AS
		SELECT 'ALPHA' AS tenant, format('alpha-{:04d}', i) AS id, format('alpha-note-{:04d}', i) AS note, 111000 + i AS amount FROM range(400) t(i)
		UNION ALL SELECT 'BRAVO', format('bravo-{:04d}', i), format('bravo-note-{:04d}', i), 777000 + i FROM range(400) t(i)`,
		tenantFiles, func(cfg *api.Config) {
			s.counted.Reader, cfg.Reader = cfg.Reader, s.counted
			cfg.Access = &access.Authenticator{Keys: keys, Tokens: s.tokens.Tokens}
			cfg.AccessLog = "all"
		})
	if err := s.api.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	opened := []string{"test/plain", "test/gone"} // plain has no such parameter
	for _, name := range tenantEndpoints {
		opened = append(opened, "test/"+name)
	}
	s.mallory = s.tokens.token(t, "mallory", map[string]string{"tenant": "ALPHA"}, opened...)
	s.victim = s.tokens.token(t, "victim", map[string]string{"tenant": "BRAVO"}, opened...)
	for _, name := range tenantEndpoints { // the cache has the answers of both tenants, with pins and without
		for _, format := range []string{"", "?format=csv", "?format=json", "?format=parquet"} {
			path := "/v1/test/" + name + format
			more := "?"
			if format != "" {
				more = "&"
			}
			for _, target := range [][2]string{{path, s.victim}, {path + more + "tenant=BRAVO", s.key}, {path, s.mallory}} {
				a := s.send(t, get(target[0], target[1]))
				if a.status != http.StatusOK || strings.Contains(a.text, "bravo") == (target[1] == s.mallory) {
					t.Fatalf("%s: %d %.300s", target[0], a.status, a.text)
				}
				if target[1] == s.mallory && name != "now" && name != "large" {
					s.legit[path] = a.text
				}
			}
		}
	}
	return s
}

// get returns a request as it is sent.
func get(target, credential string, lines ...string) string {
	return request11("GET", target, append([]string{"Authorization: Bearer " + credential}, lines...)...)
}

func request11(method, target string, lines ...string) string {
	return method + " " + target + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n" + strings.Join(append(lines, "", ""), "\r\n")
}

// tenantAnswer is an answer as it was sent, and all of it as text: headers, body, rows, and what cursors say.
type tenantAnswer struct {
	status int
	header http.Header
	text   string // the body, decompressed and decoded
	all    string
}

var cursors = regexp.MustCompile(`[A-Za-z0-9_-]{40,}`)

func (s *tenants) send(t *testing.T, raw string) tenantAnswer {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	method, _, _ := strings.Cut(raw, " ")
	res, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	if err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatalf("%q: %v", raw, err)
	}
	a := tenantAnswer{status: res.StatusCode, header: res.Header}
	if len(body) > 0 {
		plain := decoded(t, res.Header.Get("Content-Encoding"), body)
		a.text = string(plain) + rowsOf(t, res.Header.Get("Content-Type"), plain)
	}
	var all strings.Builder
	_ = res.Header.Write(&all)
	end := max(0, len(a.text)-4<<10) // where JSON has the next page's
	for _, found := range cursors.FindAllString(all.String()+a.text[end:], -1) {
		if plain, err := base64.RawURLEncoding.DecodeString(found); err == nil {
			all.Write(plain)
		}
	}
	all.WriteString(a.text)
	all.Write(body)
	a.all = all.String()
	return a
}

// rowsOf returns the rows of a binary format as text.
func rowsOf(t *testing.T, mediaType string, body []byte) string {
	t.Helper()
	var records []arrow.RecordBatch
	switch mediaType {
	case "application/vnd.apache.arrow.stream":
		records = arrowRecords(t, body)
	case "application/vnd.apache.parquet":
		records, _ = parquetRecords(t, body)
	}
	return arrowRows(t, records)
}

// amounts are the victim's numbers, in a body: a header's random bytes could have one too.
var amounts = regexp.MustCompile(`777[0-3]\d\d\b`)

// attempt sends a request of mallory and fails the test if anything of the victim comes back, also as the
// status, or if mallory's own answers change. The request's own text may come back.
func (s *tenants) attempt(t *testing.T, what, raw string, allowed ...int) tenantAnswer {
	t.Helper()
	s.attempts++
	a := s.send(t, raw)
	if !slices.Contains(allowed, a.status) {
		t.Errorf("%s: %d, want %v: %q\n%.500s", what, a.status, allowed, raw, a.text)
	}
	all, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(raw, "GET "), "HEAD "), " ")
	if text := strings.ReplaceAll(a.all, all, ""); strings.Contains(strings.ToLower(text), "bravo") && !strings.Contains(strings.ToLower(raw), "bravo") || strings.Contains(text, "bravo-") || amounts.MatchString(a.text) {
		t.Errorf("%s reveals the victim: %q\n%.500s", what, raw, a.all)
	}
	if len(s.legit) == 0 {
		t.Fatal("mallory has no answers of her own")
	}
	for path, want := range s.legit {
		if own := s.send(t, get(path, s.mallory)); own.status != http.StatusOK || own.text != want {
			t.Fatalf("%s: then mallory's %s is %d %.300s", what, path, own.status, own.text)
		}
		break // one of them, another each time
	}
	return a
}

var (
	formatNames    = []string{"json", "ndjson", "csv", "parquet", "arrow", "svg", "schema", "dictionary"}
	acceptedRanges = []string{"application/json", "application/x-ndjson", "text/csv", "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream", "image/svg+xml", "application/schema+json", "*/*"}
	// overrides are queries that give the pinned parameter.
	overrides = []string{
		"tenant=BRAVO", "tenant=ALPHA", "tenant=", "tenant", "tenant=NOBODY", "%74enant=BRAVO", "tenan%74=BRAVO", "%74%65%6e%61%6e%74=BRAVO", "Tenant=BRAVO", "TENANT=BRAVO", "tenant=BRAVO&tenant=ALPHA", "tenant=ALPHA&tenant=BRAVO",
		"tenant=ALPHA&Tenant=BRAVO", "tenant%5B%5D=BRAVO", "tenant[]=BRAVO", "tenant[0]=BRAVO", "tenant.0=BRAVO", "+tenant=BRAVO", "tenant+=BRAVO", "%20tenant=BRAVO", "tenant%20=BRAVO", "tenant%09=BRAVO", "tenant%3D=BRAVO", "tenant%3DBRAVO",
		"&tenant=BRAVO", "&&tenant=BRAVO&&", "?tenant=BRAVO", "$tenant=BRAVO", "%24tenant=BRAVO", ":tenant=BRAVO", "pins=BRAVO", "pins.tenant=BRAVO", "pin=tenant%3DBRAVO", "cursor_0=bravo-0000", "cursor_tie=a", "tenant%00=BRAVO", "%00tenant=BRAVO", "tenant%EF%BB%BF=BRAVO", "t%C3%A9nant=BRAVO", "tenаnt=BRAVO",
		"format=json&tenant=BRAVO", "tenant=BRAVO&format=csv", "tenant=BRAVO&format=schema", "format=dictionary&tenant=BRAVO", "%66ormat=csv&tenant=BRAVO", "tenant=*", "tenant=%25", "tenant=BRAVO'--", "tenant=%27%20OR%201%3D1--",
	}
)

// TestTenantsAreApart is what someone with a token pinned to one tenant could try to read another's rows.
func TestTenantsAreApart(t *testing.T) { //nolint:tparallel // its parts count attempts
	t.Parallel()
	s := newTenants(t)
	for name, try := range map[string]func(*testing.T){
		"formats": s.formats, "overrides": s.override, "conditions": s.conditions, "cursors": s.cursors, "paths": s.paths,
		"headers": s.headers, "documents": s.documents, "tokens": s.forged, "together": s.together, "tools": s.tools,
	} {
		before := s.attempts
		t.Run(name, func(t *testing.T) { try(t) })
		if s.attempts-before < 40 {
			t.Errorf("%s: %d attempts only", name, s.attempts-before)
		}
	}
	if s.attempts < 300 {
		t.Errorf("%d attempts, want 300", s.attempts)
	}
	if log := s.log.String(); strings.Contains(log, s.mallory) || strings.Contains(log, "eyJ") || !strings.Contains(log, "subject=token:mallory") {
		t.Error("the log has a token, or not its subject")
	}
}

// formats: the victim's answers in every format and coding are in the cache under the same URL.
func (s *tenants) formats(t *testing.T) {
	for _, name := range tenantEndpoints {
		for n, format := range formatNames {
			path := "/v1/test/" + name + "?format=" + format
			want := http.StatusOK
			if format == "svg" && name != "sum" {
				want = http.StatusBadRequest
			}
			s.send(t, get(path, s.victim))
			s.attempt(t, "format", get(path, s.mallory), want)
			coding := []string{"gzip", "zstd", "identity"}[n%3]
			s.send(t, get(path, s.victim, "Accept-Encoding: "+coding))
			s.attempt(t, "coding", get(path, s.mallory, "Accept-Encoding: "+coding), want)
			s.attempt(t, "HEAD", request11("HEAD", path, "Authorization: Bearer "+s.mallory), want)
			if want == http.StatusOK {
				s.send(t, get("/v1/test/"+name, s.victim, "Accept: "+acceptedRanges[n]))
				s.attempt(t, "Accept", get("/v1/test/"+name, s.mallory, "Accept: "+acceptedRanges[n]), want)
			}
		}
	}
}

// override: a pinned parameter can't be given, whatever its value and however it is written, and is refused as
// an unknown one is.
func (s *tenants) override(t *testing.T) {
	for _, name := range tenantEndpoints {
		for _, query := range overrides {
			a := s.attempt(t, "override", get("/v1/test/"+name+"?"+query, s.mallory), http.StatusBadRequest)
			if strings.Contains(strings.ReplaceAll(a.text, query, ""), "parameters tenant") {
				t.Errorf("it is shown as a parameter: %s", a.text)
			}
		}
		pinned, unknown := s.problem(t, get("/v1/test/"+name+"?tenant=BRAVO", s.mallory)), s.problem(t, get("/v1/test/"+name+"?nothing=BRAVO", s.mallory))
		if strings.ReplaceAll(pinned, "tenant", "nothing") != unknown {
			t.Errorf("%s: a pinned parameter is answered\n%s\nan unknown one\n%s", name, pinned, unknown)
		}
	}
}

var requestIDs = regexp.MustCompile(`"request_id":"[^"]*"`)

// problem returns a problem without what differs from request to request.
func (s *tenants) problem(t *testing.T, raw string) string {
	t.Helper()
	return requestIDs.ReplaceAllString(s.send(t, raw).text, "")
}

// conditions: the ETag of another tenant's answer is nobody else's, so a 304 tells nothing.
func (s *tenants) conditions(t *testing.T) {
	for _, name := range tenantEndpoints {
		for _, format := range []string{"json", "csv", "parquet"} {
			path := "/v1/test/" + name + "?format=" + format
			for _, theirs := range []string{
				s.send(t, get(path, s.victim)).header.Get("ETag"), s.send(t, get(path+"&tenant=BRAVO", s.key)).header.Get("ETag"), s.send(t, get(path+"&tenant=ALPHA", s.key)).header.Get("ETag"),
			} {
				s.attempt(t, "If-None-Match", get(path, s.mallory, "If-None-Match: "+theirs), http.StatusOK)
				s.attempt(t, "If-None-Match of HEAD", request11("HEAD", path, "Authorization: Bearer "+s.mallory, "If-None-Match: "+strings.TrimPrefix(theirs, "W/")), http.StatusOK)
			}
			if name != "now" {
				own := s.send(t, get(path, s.mallory)).header.Get("ETag")
				if a := s.send(t, get(path, s.mallory, "If-None-Match: "+own)); a.status != http.StatusNotModified || a.text != "" {
					t.Errorf("%s: its own ETag is answered with %d", path, a.status)
				}
			}
			s.attempt(t, "any ETag", get(path, s.mallory, "If-None-Match: *"), http.StatusNotModified)
		}
	}
}

// cursors: those of others are refused; one that mallory has forged pages through her own rows.
func (s *tenants) cursors(t *testing.T) {
	for _, name := range []string{"list", "every"} {
		e, err := endpoint.Parse(name+".sql", tenantFiles[name])
		if err != nil {
			t.Fatal(err)
		}
		path := "/v1/test/" + name
		for page, from := range []string{path + "?limit=50", path + "?limit=50&tenant=BRAVO"} {
			for range 4 {
				a := s.send(t, get(from, []string{s.victim, s.key}[page]))
				next := regexp.MustCompile(`<(.*)>; rel="next"`).FindStringSubmatch(a.header.Get("Link"))
				if next == nil {
					t.Fatalf("%s: %d %v", from, a.status, a.header)
				}
				if page == 0 && strings.Contains(next[1], "tenant") {
					t.Errorf("the next page names the pin: %s", next[1])
				}
				cursor := regexp.MustCompile(`cursor=([^&]+)`).FindStringSubmatch(next[1])[1]
				for _, query := range []string{"?cursor=" + cursor, "?limit=50&cursor=" + cursor, "?cursor=" + cursor + "&tenant=BRAVO", "?format=csv&cursor=" + cursor} {
					s.attempt(t, "cursor", get(path+query, s.mallory), http.StatusBadRequest)
				}
				from = next[1]
			}
		}
		for _, tenant := range []any{"BRAVO", nil, "ALPHA"} {
			id := "bravo-0000"
			first := "alpha-"
			text, err := endpoint.Cursor{Keys: []*string{&first}}.Text(e.CursorScope(path, map[string]any{"tenant": tenant, "since": nil}))
			if err != nil {
				t.Fatal(err)
			}
			want := http.StatusBadRequest
			if tenant == "ALPHA" {
				want = http.StatusOK
			}
			s.attempt(t, "forged cursor", get(path+"?cursor="+text, s.mallory), want)
			if text, err = (endpoint.Cursor{Keys: []*string{&id}}).Text(e.CursorScope(path, map[string]any{"tenant": tenant, "since": nil})); err != nil {
				t.Fatal(err)
			}
			s.attempt(t, "forged cursor of a row", get(path+"?cursor="+text, s.mallory), want)
		}
	}
}

// paths: what the token does not open is refused, whether or not it is there.
func (s *tenants) paths(t *testing.T) {
	for _, path := range []string{
		"/v1/test/other", "/v1/test/other?tenant=BRAVO", "/v1/test/other/", "/v1/test/nothing", "/v1/none/list", "/v1/test/OTHER", "/v1/test/LIST", "/v1/TEST/list", "/v1/test/list%2Fother", "/v1/test/list%3Ftenant=BRAVO", "/v1/test/l%69st%20",
		"/v1/test/oth%65r?tenant=BRAVO", "/v1/test/plain", "/v1/test/pl%61in?format=csv", "/v1/test/plain?tenant=BRAVO", "/v1/test/plain?format=schema", "/v1/test/plain/", "/v1/test/list;tenant=BRAVO", "/v1/test/*", "/v1/*/list", "/v1/test/%2a",
	} {
		s.attempt(t, "path", get(path, s.mallory), http.StatusForbidden)
		s.attempt(t, "path of HEAD", request11("HEAD", path, "Authorization: Bearer "+s.mallory), http.StatusForbidden)
	}
	for _, path := range []string{
		"/v1/test", "/v1/test/", "/v1/test/gone", "/v1//test/list", "/v1/test/list/../other", "/v1/test/./other", "//v1/test/other", "/v1/test/list/other", "/V1/test/list", "/v1/test/list/%2e%2e/other", "/v2/test/list", "/v1/test/list//",
	} {
		s.attempt(t, "no path", get(path, s.mallory), http.StatusNotFound, http.StatusForbidden)
	}
	s.attempt(t, "a value", get("/v1/test/list?since=a;tenant=BRAVO", s.mallory), http.StatusOK)
	s.attempt(t, "absolute", get("http://localhost/v1/test/list?tenant=BRAVO", s.mallory), http.StatusBadRequest)
	s.attempt(t, "absolute", get("http://victim@localhost/v1/test/list", s.mallory), http.StatusOK)
	s.attempt(t, "fragment", get("/v1/test/list#?tenant=BRAVO", s.mallory), http.StatusOK, http.StatusBadRequest, http.StatusForbidden, http.StatusNotFound)
	for _, method := range []string{"POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "get", "QUERY"} {
		s.attempt(t, "method", request11(method, "/v1/test/list?tenant=BRAVO", "Authorization: Bearer "+s.mallory), http.StatusMethodNotAllowed, http.StatusBadRequest)
		s.attempt(t, "method", request11(method, "/v1/test/events", "Authorization: Bearer "+s.mallory), http.StatusMethodNotAllowed, http.StatusBadRequest)
	}
	// What is there and not opened is answered as what is not there, without a query.
	queries := s.counted.streams.Load() + s.counted.revisions.Load()
	there, nowhere := s.problem(t, get("/v1/test/other?tenant=BRAVO", s.mallory)), s.problem(t, get("/v1/test/nothi?tenant=BRAVO", s.mallory))
	if strings.ReplaceAll(there, "/other", "/nothi") != nowhere || s.counted.streams.Load()+s.counted.revisions.Load() != queries {
		t.Errorf("what is there is answered\n%s\nwhat is not\n%s", there, nowhere)
	}
}

// headers: none of them names a tenant.
func (s *tenants) headers(t *testing.T) {
	for _, line := range []string{
		"X-Original-URL: /v1/test/list?tenant=BRAVO", "X-Rewrite-URL: /v1/test/other?tenant=BRAVO", "X-HTTP-Method-Override: POST", "X-Forwarded-For: 127.0.0.1", "X-Forwarded-Host: victim", "Forwarded: for=victim", "X-Real-IP: 127.0.0.1", "Cookie: tenant=BRAVO",
		"Tenant: BRAVO", "X-Tenant: BRAVO", "X-Estela-Pins: tenant=BRAVO", "Referer: http://localhost/v1/test/list?tenant=BRAVO", "Origin: http://victim", "Range: bytes=0-1000", "Range: bytes=100-", "If-Range: *", "If-Match: *", "If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT",
		"Cache-Control: no-cache", "Cache-Control: only-if-cached", "Pragma: no-cache", "Vary: nothing", "TE: trailers", "Prefer: tenant=BRAVO", "X-Request-ID: bravo", "Accept-Language: en", "Proxy-Authorization: Bearer " + s.victim, "X-Api-Key: " + s.key, "X-Authorization: Bearer " + s.key,
	} {
		s.attempt(t, "header", get("/v1/test/list", s.mallory, line), http.StatusOK)
	}
	for _, lines := range [][]string{
		{"Authorization: Bearer " + s.mallory, "Authorization: Bearer estela_x"},
		{"Authorization: Bearer estela_x", "Authorization: Bearer " + s.mallory},
		{"Authorization: Bearer " + s.mallory + ", Bearer estela_x"},
		{"Authorization: Bearer " + s.mallory + " tenant=BRAVO"},
		{"Authorization: Bearer"},
		{"Authorization: " + s.mallory},
		{"Authorization: JWT " + s.mallory},
		{"Cookie: Authorization=" + s.mallory},
		{"X-Authorization: Bearer " + s.mallory},
		{},
	} {
		s.attempt(t, "credential", request11("GET", "/v1/test/list", lines...), http.StatusUnauthorized, http.StatusBadRequest)
	}
	// A browser's password is the credential; the name beside it is nobody's.
	s.attempt(t, "name", request11("GET", "/v1/test/list", "Authorization: Basic "+base64.StdEncoding.EncodeToString([]byte("BRAVO:"+s.mallory))), http.StatusOK)
	for _, target := range []string{"/v1/test/list?access_token=", "/v1/test/list?token=", "/v1/test/list?authorization=Bearer%20"} {
		s.attempt(t, "credential in the URL", request11("GET", target+s.mallory), http.StatusUnauthorized)
	}
}

// documents: they show the token's endpoints, without the pinned parameter, and the same to both tenants.
func (s *tenants) documents(t *testing.T) {
	for _, path := range []string{"/v1", "/openapi.json", "/", "/docs", "/docs/", "/docs/test/list", "/docs/problems", "/docs/problems/forbidden", "/sql", "/datasets/test", "/live", "/v1?tenant=BRAVO", "/openapi.json?tenant=BRAVO", "/v1/"} {
		theirs := s.send(t, get(path, s.victim))
		a := s.attempt(t, "document", get(path, s.mallory), http.StatusOK)
		if a.text != theirs.text || strings.Contains(a.text, "tenant\"") || strings.Contains(a.text, "test/other") || strings.Contains(a.text, "test/plain") {
			t.Errorf("%s shows\n%s", path, a.text)
		}
		s.attempt(t, "document", request11("HEAD", path, "Authorization: Bearer "+s.mallory), http.StatusOK)
		s.attempt(t, "document's ETag", get(path, s.mallory, "If-None-Match: "+s.send(t, get(path, s.key)).header.Get("ETag")), http.StatusOK, http.StatusNotModified)
	}
	for path, want := range map[string][]string{"/v1": {"/v1/test/list", `"since"`}, "/openapi.json": {"/v1/test/sum", `"name":"since"`, `"bearerFormat":"JWT"`}} {
		for _, w := range want {
			if a := s.send(t, get(path, s.mallory)); !strings.Contains(a.text, w) {
				t.Errorf("%s lacks %s: %s", path, w, a.text)
			}
		}
		if a := s.send(t, get(path, s.key)); !strings.Contains(a.text, `"tenant"`) {
			t.Errorf("%s lacks the parameter for a key: %s", path, a.text)
		}
	}
	// Errors name nothing of the pin or of the other tenant.
	for _, query := range []string{"nothing=1", "limit=0", "limit=x", "cursor=x", "format=x", "since=%ff", "since=%", "limit=1&limit=2", "%zz=1"} {
		for _, name := range tenantEndpoints {
			if a := s.attempt(t, "error", get("/v1/test/"+name+"?"+query, s.mallory), http.StatusBadRequest); strings.Contains(a.text, "tenant") {
				t.Errorf("%s: %s", query, a.text)
			}
		}
	}
	s.attempt(t, "error", get("/v1/test/list", s.mallory, "Accept: text/html"), http.StatusNotAcceptable)
	s.attempt(t, "error", get("/v1/test/list", s.mallory, "Accept-Encoding: identity;q=0, *;q=0"), http.StatusNotAcceptable)
}

// forged: a token counts only as it was signed, and a pin only where it fits.
func (s *tenants) forged(t *testing.T) {
	part := strings.Split(s.mallory, ".")
	theirs := strings.Split(s.victim, ".")
	encode := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
	claims, err := base64.RawURLEncoding.DecodeString(part[1])
	if err != nil {
		t.Fatal(err)
	}
	bravo := encode(strings.Replace(string(claims), "ALPHA", "BRAVO", 1))
	for _, token := range []string{
		part[0] + "." + bravo + "." + part[2], part[0] + "." + theirs[1] + "." + part[2], theirs[0] + "." + theirs[1] + "." + part[2], encode(`{"alg":"none"}`) + "." + bravo + ".", encode(`{"alg":"none","kid":"test"}`) + "." + theirs[1] + ".",
		encode(`{"alg":"HS256","kid":"test"}`) + "." + bravo + "." + part[2], part[0] + "." + bravo + ".", part[0] + "." + encode(strings.Replace(string(claims), `"pins":{"tenant":"ALPHA"}`, `"pins":{}`, 1)) + "." + part[2],
		part[0] + "." + part[1] + "." + part[2] + "." + part[2], part[1] + "." + part[0] + "." + part[2], strings.ToLower(s.mallory), s.mallory + "A", s.mallory[:len(s.mallory)-2], "." + s.mallory, s.mallory + ".",
	} {
		for _, name := range []string{"list", "sum"} {
			s.attempt(t, "forged token", get("/v1/test/"+name, token), http.StatusUnauthorized)
		}
	}
	for what, pins := range map[string]map[string]string{
		"another parameter": {"tenant": "ALPHA", "customer": "x"}, "a misspelt one": {"tennant": "ALPHA"}, "upper case": {"TENANT": "ALPHA"}, "the page": {"tenant": "ALPHA", "limit": "1"},
		"a format": {"tenant": "ALPHA", "format": "json"}, "no value of it": {"tenant": "alpha"}, "several": {"tenant": "ALPHA,BRAVO"}, "a pattern": {"tenant": "ALPHA|BRAVO"}, "space": {"tenant": "ALPHA "},
	} {
		token := s.tokens.token(t, "mallory", pins, "test/list", "test/sum")
		for _, path := range []string{"/v1/test/list", "/v1/test/sum", "/v1/test/list?format=schema", "/v1/test/sum?format=csv"} {
			s.attempt(t, "a pin that does not fit: "+what, get(path, token), http.StatusForbidden)
		}
		if a := s.attempt(t, "index of it", get("/v1", token), http.StatusOK); strings.Contains(a.text, "/v1/test/list") {
			t.Errorf("%s: the index shows what is refused: %s", what, a.text)
		}
	}
	// A pin is a value, never SQL, a list or a pattern.
	for _, value := range []string{"' OR true --", "ALPHA' OR tenant = 'BRAVO", "%", "_____", "BRAV", "bravo", "$tenant", "NULL", "*", "BRAVO\u200b"} {
		token := s.tokens.token(t, "mallory", map[string]string{"tenant": value}, "test/every", "test/now", "test/large")
		for _, name := range []string{"every", "now", "large"} {
			if a := s.attempt(t, "pinned to "+value, get("/v1/test/"+name, token), http.StatusOK); !strings.Contains(a.text, `"rows":0`) {
				t.Errorf("%q: %s", value, a.text)
			}
		}
	}
}

// together: both ask the same at once, while it is cached for neither.
func (s *tenants) together(t *testing.T) {
	for round := range 12 {
		path := "/v1/test/large?format=" + []string{"json", "csv", "ndjson", "arrow"}[round%4]
		if name := []string{"list", "every", "large"}[round%3]; name != "large" {
			path = fmt.Sprintf("/v1/test/%s?limit=%d", name, 10+round)
		}
		s.askAtOnce(t, path, func(credential string) string { return get(path, credential) })
	}
}

// askAtOnce sends the request of both at the same time, several times, and fails the test if one gets the other's rows.
func (s *tenants) askAtOnce(t *testing.T, what string, request func(credential string) string) {
	t.Helper()
	var group sync.WaitGroup
	answers := make([]tenantAnswer, 8)
	for n := range answers {
		group.Go(func() { answers[n] = s.send(t, request([]string{s.mallory, s.victim}[n%2])) })
	}
	group.Wait()
	for n, a := range answers {
		own, others := "alpha-note", "bravo"
		if n%2 == 1 {
			own, others = "bravo-note", "alpha"
		}
		s.attempts++
		if a.status != http.StatusOK || !strings.Contains(a.text, own) || strings.Contains(a.all, others) {
			t.Errorf("%s: %d %.300s", what, a.status, a.text)
		}
	}
}

// tools: an agent sees what its token opens, without the pinned parameter, and no argument gets around the pin.
// Both tenants see the same document, whose tools one handler has for both.
func (s *tenants) tools(t *testing.T) {
	post := func(credential, method, params string, lines ...string) string {
		body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"method":%q,"params":%s}`, method, params)
		return request11("POST", "/mcp", append([]string{
			"Content-Type: application/json", "Accept: application/json, text/event-stream", "Authorization: Bearer " + credential, fmt.Sprint("Content-Length: ", len(body)),
		}, lines...)...) + body
	}
	call := func(credential, name, arguments string, lines ...string) string {
		return post(credential, "tools/call", fmt.Sprintf(`{"name":"test_%s","arguments":%s}`, name, arguments), lines...)
	}
	for _, method := range []string{"tools/list", "ping", "initialize", "resources/list", "prompts/list"} {
		const params = `{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"a","version":"1"}}`
		theirs, a := s.send(t, post(s.victim, method, params)), s.attempt(t, method, post(s.mallory, method, params), http.StatusOK)
		if a.text != theirs.text || strings.Contains(a.text, `"tenant"`) || strings.Contains(a.text, "test_other") || strings.Contains(a.text, "test_plain") {
			t.Errorf("%s shows\n%s", method, a.text)
		}
		if method == "tools/list" && strings.Count(a.text, `"name":"test_`) != len(tenantEndpoints) {
			t.Errorf("not %d tools: %s", len(tenantEndpoints), a.text)
		}
	}
	cursor := regexp.MustCompile(`"next":"([^"]+)"`)
	for _, name := range tenantEndpoints {
		for _, arguments := range []string{
			`{"tenant":"BRAVO"}`, `{"tenant":"ALPHA"}`, `{"tenant":null}`, `{"Tenant":"BRAVO"}`, `{"\u0074enant":"BRAVO"}`, `{"tenant":"BRAVO","tenant":"ALPHA"}`, `{"tenant=BRAVO&x":"1"}`, `{"tenant[]":["BRAVO"]}`, `{"format":"csv"}`, `["tenant","BRAVO"]`, `"tenant=BRAVO"`,
		} {
			if a := s.attempt(t, "argument", call(s.mallory, name, arguments), http.StatusOK); !strings.Contains(a.text, `"isError":true`) {
				t.Errorf("%s takes %s: %.300s", name, arguments, a.text)
			}
		}
		for _, arguments := range []string{`{"since":"a&tenant=BRAVO"}`, `{"since":"a%26tenant=BRAVO"}`, `{"since":"' OR tenant = 'BRAVO"}`, `{"since":"a;tenant=BRAVO"}`, `{"limit":"5&tenant=BRAVO"}`, `{"cursor":"x&tenant=BRAVO"}`} {
			s.attempt(t, "argument", call(s.mallory, name, arguments), http.StatusOK)
		}
		s.attempt(t, "in the URL", strings.Replace(call(s.mallory, name, `{}`), "POST /mcp ", "POST /mcp?tenant=BRAVO ", 1), http.StatusOK)
		s.attempt(t, "in a header", call(s.mallory, name, `{}`, "Tenant: BRAVO", "Mcp-Param-Tenant: BRAVO", "X-Original-URL: /v1/test/"+name+"?tenant=BRAVO"), http.StatusOK)
		s.attempt(t, "two credentials", call(s.mallory, name, `{}`, "Authorization: Bearer "+s.victim), http.StatusBadRequest)
		s.attempt(t, "two credentials", call(s.victim, name, `{}`, "Authorization: Bearer "+s.mallory), http.StatusBadRequest)
		for _, theirs := range []string{call(s.victim, name, `{"limit":5}`), call(s.key, name, `{"limit":5,"tenant":"BRAVO"}`)} {
			if next := cursor.FindStringSubmatch(strings.ReplaceAll(s.send(t, theirs).text, `\"`, `"`)); next != nil {
				a := s.attempt(t, "cursor", call(s.mallory, name, fmt.Sprintf(`{"limit":5,"cursor":%q}`, next[1])), http.StatusOK)
				if !strings.Contains(a.text, "Invalid cursor") {
					t.Errorf("%s takes the victim's cursor: %.300s", name, a.text)
				}
			} else if name == "list" || name == "every" {
				t.Errorf("%s has no next page", name)
			}
		}
	}
	for _, name := range []string{"other", "plain", "gone", "list?tenant=BRAVO", "list/../other"} {
		if a := s.attempt(t, "tool", call(s.mallory, name, `{"tenant":"BRAVO"}`), http.StatusOK); !strings.Contains(a.text, "unknown tool") {
			t.Errorf("%s: %s", name, a.text)
		}
	}
	for round := range 6 { // both at once, by the same handler
		name := []string{"list", "every", "now"}[round%3]
		s.askAtOnce(t, name, func(credential string) string { return call(credential, name, `{}`) })
	}
}

// A tenant that exists is answered as one that does not: the same status, the same text, the same work.
func TestTenantsAreNotToldApart(t *testing.T) {
	t.Parallel()
	s := newTenants(t)
	work := func(target string, lines ...string) string {
		queries, revisions := s.counted.streams.Load(), s.counted.revisions.Load()
		text := s.problem(t, get(target, s.mallory, lines...))
		return fmt.Sprintf("%d queries, %d revisions: %s", s.counted.streams.Load()-queries, s.counted.revisions.Load()-revisions, text)
	}
	for _, name := range tenantEndpoints {
		for _, query := range []string{"?tenant=%s", "?tenant=%s&format=csv", "?format=arrow&tenant=%s", "?Tenant=%s"} {
			there, nowhere := work("/v1/test/"+name+fmt.Sprintf(query, "BRAVO")), work("/v1/test/"+name+fmt.Sprintf(query, "ZEBRA"))
			if strings.ReplaceAll(there, "BRAVO", "ZEBRA") != nowhere || !strings.HasPrefix(there, "0 queries, 0 revisions: {") {
				t.Errorf("%s: a tenant is answered\n%s\none that is not there\n%s", query, there, nowhere)
			}
		}
	}
	// An answer of mallory's takes the same queries whether the victim's is cached or not.
	fresh := func(query string) string { return work("/v1/test/list?since=" + query + "&format=csv") }
	s.send(t, get("/v1/test/list?since=b1&format=csv", s.victim))
	warm, cold := fresh("b1"), fresh("b2")
	if warm != cold || !strings.HasPrefix(warm, "1 queries") {
		t.Errorf("the victim's cached answer shows: %s, else %s", warm, cold)
	}
}

// A token that pins nothing gives its endpoints' parameters, and pins of equal values are the same answer.
func TestTokensWithoutPins(t *testing.T) {
	t.Parallel()
	s := newTenants(t)
	free := s.tokens.token(t, "free", map[string]string{}, "test/list")
	if a := s.send(t, get("/v1/test/list?tenant=BRAVO", free)); a.status != http.StatusOK || !strings.Contains(a.text, "bravo") {
		t.Errorf("%d %s", a.status, a.text)
	}
	if a := s.send(t, get("/v1/test/list", free)); a.status != http.StatusBadRequest {
		t.Errorf("%d %s", a.status, a.text)
	}
	if a := s.send(t, get("/v1/test/sum?tenant=BRAVO", free)); a.status != http.StatusForbidden {
		t.Errorf("%d %s", a.status, a.text)
	}
	s.send(t, get("/v1/test/sum", s.mallory))
	queries := s.counted.streams.Load()
	twin := s.tokens.token(t, "twin", map[string]string{"tenant": "ALPHA"}, "test/sum")
	if a := s.send(t, get("/v1/test/sum", twin)); a.status != http.StatusOK || s.counted.streams.Load() != queries {
		t.Errorf("%d, %d queries", a.status, s.counted.streams.Load()-queries)
	}
}

// Each subject has a rate of its own, of its token or of the server, and a key of the same name another.
func TestRateOfTokens(t *testing.T) {
	t.Parallel()
	tokens := newTokens(t)
	file := filepath.Join(t.TempDir(), "keys.json")
	secret := keyFile(t, file, access.Key{Name: "customer", Datasets: []string{"*"}})["customer"]
	keys, err := access.LoadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	i := setup(t, "SELECT 1", map[string]string{"one": "-- One.\n-- cache: 1h\nSELECT 1 AS n"}, func(cfg *api.Config) {
		cfg.Access, cfg.Rate = &access.Authenticator{Keys: keys, Tokens: tokens.Tokens}, 3
	})
	limited := map[string]int{}
	for range 12 {
		for name, credential := range map[string]string{"key": secret, "token": tokens.token(t, "customer", map[string]string{}, "test/one"), "another": tokens.token(t, "another", map[string]string{}, "test/one")} {
			if status, _, _ := i.body(t, "/v1/test/one", "Authorization", "Bearer "+credential); status == http.StatusTooManyRequests {
				limited[name]++
			}
		}
	}
	for _, name := range []string{"key", "token", "another"} { // each has three at once, and some more while the test runs
		if limited[name] == 0 || limited[name] > 9 {
			t.Errorf("%v", limited)
		}
	}
}
