package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/smoke"
)

// pretend is an API that is well, but for what a test changes by path.
func pretend(t *testing.T, change map[string]http.HandlerFunc) string {
	t.Helper()
	answers := map[string]string{
		"/v1":               `{"data":[{"name":"canary","endpoints":[{"path":"/v1/canary/latest","params":[{"name":"id","required":false}]},{"path":"/v1/x/y","params":[{"name":"z","required":true}]}]}],"meta":{}}`,
		"/openapi.json":     `{"openapi":"3.1.0","paths":{"/v1/canary/latest":{},"/v1/x/y":{}}}`,
		"/v1/canary/latest": `{"data":[{"id":"A","sent_at":"` + time.Now().UTC().Format(time.RFC3339) + `"}],"meta":{}}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case change[r.URL.Path] != nil:
			change[r.URL.Path](w, r)
		case r.URL.Query().Has("no-such-parameter"):
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusBadRequest)
		case answers[r.URL.Path] == "":
			http.NotFound(w, r)
		default:
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			_, _ = w.Write([]byte(answers[r.URL.Path]))
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func text(status int, kind, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", kind)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

func TestSmokeOfWhatIsWell(t *testing.T) {
	t.Parallel()
	code, out, errs := command(t, "", "smoke", "--url", pretend(t, nil)+"/")
	if code != 0 || strings.Count(out, "ok  ") != 4 {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
}

func TestSmokeNamesWhatIsNot(t *testing.T) {
	t.Parallel()
	const json = "application/json"
	for name, c := range map[string]struct {
		path  string
		reply http.HandlerFunc
		want  string
	}{
		"health":    {"/v1", text(http.StatusOK, json, `{"data":[]}`), "lists no endpoint"},
		"unasked":   {"/v1", text(http.StatusServiceUnavailable, json, `{}`), "nothing could be asked"},
		"html":      {"/v1", text(http.StatusOK, "text/html", "<html>"), "text/html, not JSON"},
		"login":     {"/v1", text(http.StatusFound, "text/html", ""), "status 302"},
		"broken":    {"/v1", text(http.StatusOK, json, `{"data":`), "read the answer"},
		"openapi":   {"/openapi.json", text(http.StatusOK, json, `{"openapi":"3.1.0","paths":{}}`), "has not /v1/canary/latest"},
		"version":   {"/openapi.json", text(http.StatusOK, json, `{"openapi":"2.0"}`), `"2.0", want 3.1`},
		"answers":   {"/v1/canary/latest", text(http.StatusServiceUnavailable, "application/problem+json", "{}"), "status 503"},
		"freshness": {"/v1/canary/latest", text(http.StatusOK, json, `{"data":[{"id":"A","sent_at":"2001-01-01T00:00:00Z"}],"meta":{}}`), "newest canary is"},
		"none":      {"/v1/canary/latest", text(http.StatusOK, json, `{"data":[],"meta":{}}`), "no canary was ever stored"},
	} {
		code, out, errs := command(t, "", "smoke", "--url", pretend(t, map[string]http.HandlerFunc{c.path: c.reply}))
		if code != exitFailed || !strings.Contains(out, c.want) || !strings.Contains(out, "FAIL") {
			t.Errorf("%s: exit %d, no %q in\n%s%s", name, code, c.want, out, errs)
		}
	}
}

// A canary by POST has the key to write with, and must be stored.
func TestSmokeByPost(t *testing.T) {
	const readKey, writeKey = "r34d-k3y", "wr1t3-k3y"
	t.Setenv(smokeToken, readKey)
	for _, c := range []struct {
		key, sentKey  string
		status, exits int
		want          string
	}{
		{writeKey, writeKey, http.StatusOK, 0, "a canary was there after"},
		{"", readKey, http.StatusOK, 0, "a canary was there after"},
		{writeKey, writeKey, http.StatusAccepted, exitFailed, "status 202"},
		{writeKey, writeKey, http.StatusForbidden, exitFailed, "status 403"},
	} {
		t.Setenv(smokePostKey, c.key)
		var sent smoke.Canary
		var header http.Header
		to := pretend(t, map[string]http.HandlerFunc{"/v1/canary/events": func(w http.ResponseWriter, r *http.Request) {
			header = r.Header
			if r.Method != http.MethodPost || r.URL.RawQuery != "durability=stored" {
				t.Errorf("%s %s", r.Method, r.URL)
			}
			if err := json.NewDecoder(r.Body).Decode(&sent); err != nil {
				t.Error(err)
			}
			text(c.status, "application/json", `{}`)(w, r)
		}})
		code, out, errs := command(t, "", "smoke", "--url", pretend(t, nil), "--post-url", to+"/")
		if code != c.exits || !strings.Contains(out, c.want) || strings.Contains(out+errs, readKey) || strings.Contains(out+errs, writeKey) {
			t.Errorf("%+v: exit %d\n%s%s", c, code, out, errs)
		}
		if sent.ID == "" || header.Get("Idempotency-Key") != sent.ID || header.Get("Authorization") != "Bearer "+c.sentKey || header.Get("Content-Type") != "application/json" {
			t.Errorf("%+v: sent %+v with %v", c, sent, header)
		}
	}
}

func TestSmokeRefusesWhatIsNoURL(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"example.org", "file:///etc/passwd", "http://", ":"} {
		if code, _, errs := command(t, "", "smoke", "--url", url); code != exitUsage || !strings.Contains(errs, "--url") {
			t.Errorf("%s: exit %d, %s", url, code, errs)
		}
		if code, _, errs := command(t, "", "smoke", "--url", "http://127.0.0.1", "--post-url", url); code != exitUsage || !strings.Contains(errs, "--post-url") {
			t.Errorf("%s: exit %d, %s", url, code, errs)
		}
	}
}

func TestSmokeTellsNobodyItsToken(t *testing.T) {
	const secret = "s3cr3t-t0k3n"
	t.Setenv(smokeToken, secret)
	var sent string
	code, out, errs := command(t, "", "smoke", "--no-canary", "--url", pretend(t, map[string]http.HandlerFunc{
		"/v1": func(w http.ResponseWriter, r *http.Request) {
			sent = r.Header.Get("Authorization")
			http.Error(w, "no", http.StatusForbidden)
		},
	}))
	if code != exitFailed || sent != "Bearer "+secret || strings.Contains(out+errs, secret) {
		t.Errorf("exit %d, sent %q\n%s%s", code, sent, out, errs)
	}
}
