package ingest_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/ingest"
)

// keyed serves with keys that it returns: to read, to write, and to do both.
func keyed(t *testing.T, more ...setting) (s *site, secrets map[string]string) {
	t.Helper()
	secrets = map[string]string{}
	var all []access.Key
	for name, rights := range map[string][2][]string{
		"reads": {{"*"}, nil}, "writes": {nil, {"things"}}, "both": {{"things"}, {"*"}}, "others": {{"other"}, {"other"}},
	} {
		secret, key := access.NewKey(name, rights[0], rights[1]...)
		secrets[name] = secret
		all = append(all, key)
	}
	file := filepath.Join(t.TempDir(), "keys.json")
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	keys, err := access.LoadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	return setup(t, things(t, 1), append(more, func(_ *ingest.Config, cfg *api.Config) { cfg.Access = &access.Authenticator{Keys: keys} })...), secrets
}

// A key that may read may not write, and the other way round.
func TestRights(t *testing.T) {
	t.Parallel()
	s, secrets := keyed(t)
	for name, want := range map[string]int{"reads": 403, "others": 403, "writes": 202, "both": 202} {
		if r := s.post(t, "", ndjson, []byte(thing("a", "x")), "Authorization", "Bearer "+secrets[name]); r.status != want {
			t.Errorf("%s: %d %s", name, r.status, r.text)
		}
	}
	for what, headers := range map[string][]string{
		"no key":         nil,
		"an unknown key": {"Authorization", "Bearer estela_x"},
		"a password":     {"Authorization", "Basic Og=="},
	} {
		if r := s.post(t, "", ndjson, []byte(thing("a", "x")), headers...); r.status != http.StatusUnauthorized || r.header.Get("WWW-Authenticate") == "" {
			t.Errorf("%s: %d %s", what, r.status, r.text)
		}
	}
	if n := len(s.events(t)); n != 2 {
		t.Errorf("%d events are published", n)
	}
	// What a key may not read it can't list; what it may write to is in its document.
	for name, want := range map[string]bool{"reads": false, "writes": true, "both": true, "others": false} {
		if text := s.get(t, "/openapi.json", secrets[name]); strings.Contains(text, "/v1/things/events") != want {
			t.Errorf("%s: %s", name, text)
		}
	}
	// Keys of two clients are two names for two requests.
	for _, name := range []string{"writes", "both"} {
		s.post(t, "", ndjson, []byte(thing(name, "x")), "Authorization", "Bearer "+secrets[name], "Idempotency-Key", "k").wants(t, name, 202, "")
	}
}

func (s *site) get(t *testing.T, path, secret string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if secret != "" {
		req.Header.Set("Authorization", "Bearer "+secret)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Only datasets that are there, and streams that are Estela's, take events; and only at their path.
func TestWhereEventsAreTaken(t *testing.T) {
	t.Parallel()
	s := setup(t, parse(t, "things", `{"type": "object", "x-estela": {"stream": {"key": "orders"}}, "properties": {"id": {"type": "string"}}}`))
	s.post(t, "", ndjson, []byte(`{"id":"a"}`)).wants(t, "fields of another's stream", http.StatusNotFound, "not-found")
	s = setup(t, parse(t, "things", `{"type": "object", "x-estela": {"stream": {"key": "orders", "field": "payload"}}, "properties": {"id": {"type": "string"}}}`))
	s.post(t, "", ndjson, []byte(`{"id":"a"}`+"\n"+`{"id":"b"}`), "Idempotency-Key", "k").wants(t, "a field of another's stream", http.StatusAccepted, "")
	entries, _ := s.redis.Do("XRANGE", "orders", "-", "+").([]any)
	if got := fmt.Sprint(entries); len(entries) != 2 || !strings.Contains(got, `[payload {"id":"b"}]`) {
		t.Errorf("entries: %s", got)
	}
	s = setup(t, things(t, 1), func(_ *ingest.Config, cfg *api.Config) { cfg.LocalOnly = true })
	s.post(t, "", ndjson, []byte(thing("a", "x"))).wants(t, "here", http.StatusAccepted, "")
	res, err := http.Get(strings.Replace(s.url, "127.0.0.1", "localhost", 1) + "/v1/things/events")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, err := io.ReadAll(res.Body); err != nil || res.StatusCode != http.StatusNotFound || !strings.Contains(string(text), "Events are sent here by POST") {
		t.Errorf("GET: %v %d %s", err, res.StatusCode, text)
	}
	for request, want := range map[string]int{
		"POST /v1/other/events HTTP/1.1\r\nHost: localhost":                        404,
		"POST /v1/things/other HTTP/1.1\r\nHost: localhost":                        405,
		"POST /v1/things HTTP/1.1\r\nHost: localhost":                              404,
		"POST /v1/thing%73/events HTTP/1.1\r\nHost: localhost":                     202,
		"POST /v1/things/event%73 HTTP/1.1\r\nHost: localhost":                     400,
		"PUT /v1/things/events HTTP/1.1\r\nHost: localhost":                        405,
		"DELETE /v1/things/events HTTP/1.1\r\nHost: localhost":                     405,
		"POST /v1/things/events HTTP/1.1\r\nHost: evil.example":                    421,
		"OPTIONS /v1/things/events HTTP/1.1\r\nHost: localhost":                    405,
		"POST http://evil.example/v1/things/events HTTP/1.1\r\nHost: evil.example": 421,
	} {
		if statuses, _ := s.raw(t, request+"\r\nContent-Type: application/json\r\nContent-Length: 24\r\n\r\n"+`{"id":"a","p":"x","n":1}`); len(statuses) != 1 || statuses[0] != want {
			t.Errorf("%q: %v, want %d", request, statuses, want)
		}
	}
}

// raw sends bytes and returns the statuses of the answers, and whether the server ended the connection.
func (s *site) raw(t *testing.T, text string) (statuses []int, closed bool) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	answers := bufio.NewReader(conn)
	for {
		_ = conn.SetReadDeadline(time.Now().Add(500 * time.Millisecond))
		if _, err := answers.Peek(1); err != nil {
			return statuses, !strings.Contains(err.Error(), "timeout")
		}
		_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		res, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatalf("%q: %v after %v", text, err, statuses)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		statuses = append(statuses, res.StatusCode)
	}
}

// Bodies may hold anything; the headers around them are as strict as those of a GET, and what comes after a body is
// a request of its own.
func TestFraming(t *testing.T) {
	t.Parallel()
	s := setup(t, things(t, 1))
	body := "\n" + thing("a", "x") + "\n\n folded\nTransfer-Encoding: chunked\n"
	post := func(header, body string) string {
		return "POST /v1/things/events?on-invalid=reject HTTP/1.1\r\nHost: a\r\nContent-Type: " + ndjson + "\r\n" + header + "\r\n" + body
	}
	sized := func(body string) string { return post(fmt.Sprintf("Content-Length: %d\r\n", len(body)), body) }
	const get = "GET /v1 HTTP/1.1\r\nHost: a\r\n\r\n"
	chunked := post("Transfer-Encoding: chunked\r\n", "1c\r\n"+thing("a", "x")+"    \r\n0\r\n\r\n")
	for name, c := range map[string]struct {
		text   string
		want   []int
		closed bool
	}{
		"one":                        {sized(body), []int{202}, false},
		"pipelined":                  {sized(body) + get + sized(body) + sized(body) + get, []int{202, 200, 202, 202, 200}, false},
		"the end of a buffer":        {sized(strings.Repeat(thing("a", "x")+"\n", 1000)) + get, []int{202, 200}, false},
		"chunked, and nothing after": {chunked + get, []int{202}, true},
		"a request in a body":        {sized(get) + get, []int{202, 200}, false},
		"two lengths":                {post("Content-Length: 0\r\nContent-Length: 20\r\n", "") + get, []int{400}, true},
		"length and encoding":        {post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n") + get, []int{400}, true},
		"encoding and length":        {post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n") + get, []int{400}, true},
		"an unknown encoding":        {post("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n") + get, []int{400}, true},
		"a bare newline":             {"POST /v1/things/events HTTP/1.1\nHost: a\r\nContent-Length: 0\r\n\r\n" + get, []int{400}, true},
		"a bare newline later":       {post("X-A: b\nContent-Length: 0\r\n", "") + get, []int{400}, true},
		"a folded header":            {post("X-A: b\r\n c\r\nContent-Length: 0\r\n", "") + get, []int{400}, true},
		"after a body, a newline":    {sized(body) + "GET /v1 HTTP/1.1\nHost: a\r\n\r\n" + get, []int{400}, true},
		"after a body, folded":       {sized(body) + "GET /v1 HTTP/1.1\r\nHost: a\r\nX-A: b\r\n c\r\n\r\n" + get, []int{400}, true},
		"after a body, a body":       {sized(body) + "GET /v1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello" + get, []int{202, 400}, true},
		"a length that is none":      {post("Content-Length: 1e1\r\n", "{}") + get, []int{400}, true},
		"HTTP/1.0 in chunks":         {strings.Replace(chunked, "HTTP/1.1", "HTTP/1.0", 1) + get, []int{400}, true},
	} {
		statuses, closed := s.raw(t, c.text)
		if fmt.Sprint(statuses) != fmt.Sprint(c.want) && (name != "after a body, a newline" && name != "after a body, folded" || fmt.Sprint(statuses) != "[202 400]") || closed != c.closed {
			t.Errorf("%s: %v, closed: %t; want %v, %t", name, statuses, closed, c.want, c.closed)
		}
	}
}

// The document is one of OpenAPI, and names what the answers are.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	s := setup(t, things(t, 1))
	doc, err := openapi3.NewLoader().LoadFromData([]byte(s.get(t, "/openapi.json", "")))
	if err != nil {
		t.Fatal(err)
	}
	op := doc.Paths.Value("/v1/things/events").Post
	if op == nil || op.OperationID != "things_post_events" || op.RequestBody.Value.Content[ndjson] == nil || op.Responses.Value("202") == nil || op.Responses.Value("4XX") == nil {
		t.Errorf("%+v", op)
	}
	kinds := s.get(t, "/docs/problems", "")
	for _, k := range []string{"invalid-events", "stream-full", "idempotency-key-reused"} {
		_, help, known := strings.Cut(kinds, "/docs/problems/"+k+": ")
		if help, _, _ = strings.Cut(help, "\n"); !known || !strings.Contains(help, "Nothing was published") && k != "stream-full" {
			t.Errorf("%s: %s", k, kinds)
		}
	}
}

// A POST is accounted to its key: the events that were published, and the bytes without their compression.
func TestAccount(t *testing.T) {
	t.Parallel()
	accounted := make(chan api.Answer, 1)
	s, secrets := keyed(t, func(_ *ingest.Config, cfg *api.Config) {
		cfg.Account = func(a api.Answer) {
			a.Took = 0
			accounted <- a
		}
	})
	two := []byte(thing("a", "x") + "\n" + thing("b", "x") + "\n")
	for _, test := range []struct {
		name, query string
		body        []byte
		headers     []string
		want        api.Answer
	}{
		{"plain", "", two, nil, api.Answer{Subject: "writes", Status: 202, Rows: 2}},
		{"compressed", "", gzipped(t, two), []string{"Content-Encoding", "gzip"}, api.Answer{Subject: "writes", Status: 202, Rows: 2}},
		{"one invalid", "", append(two, `{}`...), nil, api.Answer{Subject: "writes", Status: 422, Bytes: 2}},
		{"one reject", "?on-invalid=reject", append(two, `{}`...), nil, api.Answer{Subject: "writes", Status: 202, Rows: 3, Bytes: 2}},
		// As on a dataset that is not there, or its subject's usage would tell that it is.
		{"not allowed", "", two, []string{"Authorization", "Bearer " + secrets["reads"]}, api.Answer{Subject: "reads", Endpoint: "other", Status: 403}},
		{"no key", "", two, []string{"Authorization", "Bearer x"}, api.Answer{Status: 401, Bytes: -int64(len(two))}},
	} {
		headers := test.headers
		if !slices.Contains(headers, "Authorization") {
			headers = append(headers, "Authorization", "Bearer "+secrets["writes"])
		}
		r := s.post(t, test.query, ndjson, test.body, headers...)
		if test.want.Endpoint == "" {
			test.want.Endpoint, test.want.Write = "things/events", true
			test.want.Bytes += int64(len(two))
		} else {
			test.want.Bytes = int64(len(r.text))
		}
		if got := <-accounted; got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}
