package client_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/client"
)

// pages serves n rows, limit a page, as of a minute after the page before.
func pages(t *testing.T, n int) (c *client.Client, asked *[]string) {
	t.Helper()
	asked = &[]string{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		*asked = append(*asked, r.URL.String()+" "+r.Header.Get("If-None-Match")+r.Header.Get("Authorization"))
		from, limit := 0, 2
		_, _ = fmt.Sscan(r.URL.Query().Get("cursor"), &from)
		_, _ = fmt.Sscan(r.URL.Query().Get("limit"), &limit)
		etag := fmt.Sprintf("%q", r.URL.RawQuery)
		if r.Header.Get("If-None-Match") == etag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		to, next := min(from+limit, n), "null"
		if to < n {
			next = fmt.Sprintf(`"%d"`, to)
		}
		var rows []string
		for i := from; i < to; i++ {
			rows = append(rows, fmt.Sprintf(`{"n":%d,"p":"p"}`, i))
		}
		w.Header().Set("ETag", etag)
		_, _ = fmt.Fprintf(w, `{"data":[%s],"meta":{"as_of":"2026-01-01T00:%02d:00Z","rows":%d,"next":%s}}`, strings.Join(rows, ","), from, to-from, next)
	}))
	t.Cleanup(server.Close)
	c, err := client.New(client.Config{URL: server.URL + "/", Key: "estela_k", HTTP: server.Client()})
	must(t, err)
	return c, asked
}

func TestRows(t *testing.T) {
	t.Parallel()
	c, asked := pages(t, 5)
	query := url.Values{"a": {"x y"}}
	n := 0
	for row, err := range client.Rows[thing](t.Context(), c, "things/all", query) {
		if err != nil || row.N != n {
			t.Fatalf("%d: %+v, %v", n, row, err)
		}
		n++
	}
	want := "[/v1/things/all?a=x+y Bearer estela_k /v1/things/all?a=x+y&cursor=2 Bearer estela_k /v1/things/all?a=x+y&cursor=4 Bearer estela_k]"
	if got := fmt.Sprint(*asked); n != 5 || got != want || len(query) != 1 {
		t.Errorf("%d rows, asked %s, left %v", n, got, query)
	}
	*asked = nil
	for row := range client.Rows[thing](t.Context(), c, "things/all", nil) {
		if row.N == 1 {
			break
		}
	}
	if len(*asked) != 1 {
		t.Errorf("asked for pages that nobody needs: %s", *asked)
	}
	n = 0
	for page, err := range client.Pages[thing](t.Context(), c, "things/all", url.Values{"cursor": {"2"}, "limit": {"1"}}) {
		if want := time.Date(2026, 1, 1, 0, 2+n, 0, 0, time.UTC); err != nil || len(page.Rows) != 1 || !page.AsOf.Equal(want) {
			t.Errorf("%+v, %v", page, err)
		}
		n++
	}
	if n != 3 {
		t.Errorf("%d pages", n)
	}
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	c, asked := pages(t, 5)
	page, err := client.Get[thing](t.Context(), c, "things/all", nil)
	must(t, err)
	again, err := page.Refresh(t.Context())
	if err != nil || again != page || len(*asked) != 2 || page.Next != "2" {
		t.Errorf("%+v, %v, asked %v", again, err, *asked)
	}
	page.ETag = `"another"`
	if again, err = page.Refresh(t.Context()); err != nil || again == page || again.ETag != `""` || len(again.Rows) != 2 {
		t.Errorf("%+v, %v", again, err)
	}
}

// TestExactValues: every digit arrives.
func TestExactValues(t *testing.T) {
	t.Parallel()
	const row = `{"big":9007199254740993,"money":123456789012345678.901234567890,"at":"2026-01-31T12:00:00.123456Z","none":null}`
	c := dial(t, "estela", roundTripper(func(*http.Request) (*http.Response, error) {
		return answer(200, `{"data":[`+row+`],"meta":{"as_of":"2026-01-31T12:00:00.123456Z","rows":1,"next":null}}`), nil
	}))
	typed, err := client.Get[struct {
		Big   int64
		Money json.Number
		At    time.Time
		None  *int64
	}](t.Context(), c, "things/all", nil)
	must(t, err)
	at := time.Date(2026, 1, 31, 12, 0, 0, 123456000, time.UTC)
	if r := typed.Rows[0]; r.Big != 9007199254740993 || r.Money != "123456789012345678.901234567890" || !r.At.Equal(at) || r.None != nil || !typed.AsOf.Equal(at) {
		t.Errorf("%+v", typed)
	}
	untyped, err := client.Get[map[string]any](t.Context(), c, "things/all", nil)
	must(t, err)
	if r := untyped.Rows[0]; r["big"] != json.Number("9007199254740993") || r["money"] != json.Number("123456789012345678.901234567890") || r["none"] != nil {
		t.Errorf("%+v", r)
	}
	if _, err := client.Get[struct{ Big bool }](t.Context(), c, "things/all", nil); err == nil || !strings.HasPrefix(err.Error(), "ask /v1/things/all: read the answer: ") {
		t.Error(err)
	}
}

func TestProblem(t *testing.T) {
	t.Parallel()
	c := dial(t, "estela", roundTripper(func(*http.Request) (*http.Response, error) {
		return answer(400, `{"type":"/docs/problems/invalid-parameter","title":"Invalid parameter","status":400,"detail":"It is a number.","parameter":"n","request_id":"r1"}`), nil
	}))
	for _, err := range client.Rows[thing](t.Context(), c, "things/all", nil) {
		problem, ok := errors.AsType[*client.Problem](err)
		if !ok || problem.Type != "/docs/problems/invalid-parameter" || problem.Status != 400 || problem.RequestID != "r1" ||
			err.Error() != "ask /v1/things/all: Invalid parameter (400), parameter n: It is a number." {
			t.Error(err)
		}
	}
	proxy := dial(t, "estela", roundTripper(func(*http.Request) (*http.Response, error) {
		res := answer(403, "")
		res.Body = io.NopCloser(strings.NewReader(strings.Repeat("<html>", 1000)))
		return res, nil
	}))
	if _, err := client.Get[thing](t.Context(), proxy, "things/all", nil); err == nil || len(err.Error()) > 300 {
		t.Error(err)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "localhost:8080", "ftp://x", "http://", "http://me:hunter2@x", "http://x?key=hunter2", "http://x#hunter2", "http://hunter2\x00"} {
		if _, err := client.New(client.Config{URL: bad}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	// No header can have such a key, and no retry sends it.
	for _, bad := range []string{"hun ter2", "hunter2\x00", "hunter2é"} {
		if _, err := client.New(client.Config{URL: "http://x", Key: bad}); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: %v", bad, err)
		}
	}
}
