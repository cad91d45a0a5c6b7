package api_test

import (
	"encoding/base64"
	"io"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/api"
)

// send sends exactly these headers and does not decompress the answer.
func (i instance) send(t *testing.T, method, path string, header http.Header) (status int, answer http.Header, body []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, i.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	maps.Copy(req.Header, header)
	res, err := (&http.Transport{DisableCompression: true, DisableKeepAlives: true}).RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err = io.ReadAll(res.Body); err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, body
}

// Accept is read as RFC 9110 §12.5.1 says.
func TestAccept(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{
		"plain": "-- Plain.\nSELECT 1 AS n",
		"drawn": "-- Drawn.\n-- chart: bar x=n y=n\nSELECT 1 AS n",
	})
	const (
		json, ndjson, csv = "application/json; charset=utf-8", "application/x-ndjson", "text/csv; charset=utf-8; header=present"
		parquet, arrow    = "application/vnd.apache.parquet", "application/vnd.apache.arrow.stream"
		none              = "application/problem+json"
	)
	for _, c := range []struct {
		accept []string
		want   string
	}{
		{nil, json},
		{[]string{""}, json},
		{[]string{"application/json"}, json},
		{[]string{"application/json; charset=utf-8"}, json},
		{[]string{"application/json;charset=UTF-8"}, json},
		{[]string{`application/json ; charset="utf-8"`}, json},
		{[]string{"APPLICATION/JSON"}, json},
		{[]string{"application/json;charset=latin1"}, none},
		{[]string{"application/json;version=2"}, none},
		{[]string{"application/json;version=2, text/csv;q=0.1"}, csv},
		{[]string{"text/csv;header=present"}, csv},
		{[]string{"text/csv;header=absent"}, none},
		{[]string{"text/csv;header=absent, text/csv;q=0.2"}, csv},
		{[]string{"TEXT/CSV"}, csv},
		{[]string{"application/x-ndjson; charset=utf-8"}, ndjson},
		{[]string{"application/jsonl"}, ndjson},
		{[]string{"application/json;q=0.5, text/csv"}, csv},
		{[]string{"application/json;q=0.5, text/csv;q=1.0"}, csv},
		{[]string{"application/json;q=0.501 , text/csv ; Q=0.502"}, csv},
		{[]string{"application/json;q=0, */*"}, ndjson},
		{[]string{"application/json;q=0.0"}, none},
		{[]string{"application/*;q=0, */*;q=0.1"}, csv},
		{[]string{"text/*"}, csv},
		{[]string{"text/*, application/json;q=0.9"}, csv},
		{[]string{"*/*;q=0.1, text/csv;q=0.2"}, csv},
		{[]string{"*/*, text/csv;q=0.2"}, json},
		{[]string{"text/csv, */*"}, csv},
		{[]string{"*/*, text/csv"}, csv},
		{[]string{"text/csv, application/json"}, json},
		{[]string{"text/html, image/gif, *; q=.2, */*; q=.2"}, json},
		{[]string{"text/html", "text/csv"}, csv},
		{[]string{"application/json;q=0.1", "text/csv;q=0.5", parquet + ";q=0.3"}, csv},
		{[]string{"application/vnd.apache.parquet"}, parquet},
		{[]string{"application/vnd.apache.arrow.stream;q=0.4"}, arrow},
		{[]string{`foo/bar;a="x, text/csv", text/csv;q=0.3`}, csv},
		{[]string{`foo/bar;a="text/csv"`}, none},
		{[]string{",, , text/csv ,"}, csv},
		{[]string{"text/csv;q=2, application/x-ndjson"}, ndjson},
		{[]string{"text/csv;q=x"}, none},
		{[]string{"text/csv;q=-1"}, none},
		{[]string{"text"}, none},
		{[]string{"/, text/, ;q=1"}, none},
		{[]string{"image/svg+xml"}, none},
		{[]string{"application/xml"}, none},
	} {
		_, header, body := i.send(t, http.MethodGet, "/v1/test/plain", http.Header{"Accept": c.accept})
		if got := header.Get("Content-Type"); got != c.want {
			t.Errorf("%q: %s, want %s: %.200s", c.accept, got, c.want, body)
		}
	}
	// An answer's Content-Type is accepted in Accept.
	for _, format := range []string{"json", "ndjson", "csv", "parquet", "arrow", "svg"} {
		_, header, _ := i.send(t, http.MethodGet, "/v1/test/drawn?format="+format, nil)
		_, again, _ := i.send(t, http.MethodGet, "/v1/test/drawn", http.Header{"Accept": header["Content-Type"]})
		if header.Get("Content-Type") == none || again.Get("Content-Type") != header.Get("Content-Type") {
			t.Errorf("%s: %s, then %s", format, header.Get("Content-Type"), again.Get("Content-Type"))
		}
	}
}

// Accept-Encoding is read as RFC 9110 §12.5.3 says.
func TestAcceptEncoding(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{
		"long":  "-- Long.\n-- cache: 1h\nSELECT range AS n FROM range(1000)",
		"short": "-- Short.\n-- cache: 1h\nSELECT 1 AS n",
	})
	for _, c := range []struct {
		path   string
		accept []string
		want   string
	}{
		{"long", nil, ""},
		{"long", []string{""}, ""},
		{"long", []string{"gzip"}, "gzip"},
		{"long", []string{"x-gzip"}, "gzip"},
		{"long", []string{"GZIP"}, "gzip"},
		{"long", []string{"x-gzip;q=0.5"}, "gzip"},
		{"long", []string{"gzip, deflate, br, zstd"}, "zstd"},
		{"long", []string{"gzip;q=1.0, zstd;q=0.5"}, "gzip"},
		{"long", []string{"gzip;q=0.5, identity;q=0.9"}, ""},
		{"long", []string{"gzip;q=0.001"}, "gzip"},
		{"long", []string{"gzip;q=0"}, ""},
		{"long", []string{"gzip;q=0.000, *"}, "zstd"},
		{"long", []string{"zstd;q=0, *;q=0.1"}, "gzip"},
		{"long", []string{"*;q=0"}, "406"},
		{"long", []string{"identity;q=0"}, "406"},
		{"long", []string{"identity;q=0, br"}, "406"},
		{"long", []string{"gzip, *;q=0"}, "gzip"},
		{"long", []string{"br", "gzip"}, "gzip"},
		{"long", []string{"gzip;q=0.2", "zstd;q=0.1"}, "gzip"},
		{"long", []string{"deflate"}, ""},
		{"long", []string{"gzipped"}, ""},
		{"long?format=arrow", []string{"gzip"}, "gzip"},
		{"long?format=parquet", []string{"gzip"}, ""},
		{"long?format=parquet", []string{"identity;q=0, gzip"}, "gzip"},
		{"short", []string{"gzip"}, ""},
		{"short", []string{"gzip, identity;q=0"}, "gzip"},
		{"short", []string{"gzip"}, ""},
	} {
		_, _, plain := i.send(t, http.MethodGet, "/v1/test/"+c.path, nil)
		for range 2 { // the second time from the cache
			status, header, body := i.send(t, http.MethodGet, "/v1/test/"+c.path, http.Header{"Accept-Encoding": c.accept})
			if c.want == "406" {
				if status != http.StatusNotAcceptable {
					t.Errorf("%q: %d", c.accept, status)
				}
				continue
			}
			got := header.Get("Content-Encoding")
			if got != c.want || string(decoded(t, got, body)) != string(plain) {
				t.Errorf("%s, %q: %q, want %q, %d bytes of %d", c.path, c.accept, got, c.want, len(body), len(plain))
			}
		}
	}
}

// Vary has every header that an answer depends on; 304 and HEAD have the headers of the 200.
func TestVary(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.json")
	secret := keyFile(t, file, access.Key{Name: "all", Datasets: []string{"*"}})["all"]
	keys, err := access.LoadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	const origin = "https://a.example"
	files := map[string]string{"kept": "-- Kept.\n-- cache: 1h\nSELECT 1 AS n", "fresh": "-- Fresh.\nSELECT 1 AS n"}
	for _, cors := range []bool{false, true} {
		for _, keyed := range []bool{false, true} {
			i := setup(t, "SELECT 1", files, func(cfg *api.Config) {
				if cors {
					cfg.Origins = []string{origin}
				}
				if keyed {
					cfg.Access = &access.Authenticator{Keys: keys}
				}
			})
			for _, path := range []string{
				"/v1/test/kept", "/v1/test/fresh", "/v1/test/kept?format=csv", "/v1/test/kept?other=1", "/v1/test/kept?format=xml",
				"/v1", "/v1/test/none", "/openapi.json", "/", "/docs", "/docs/problems", "/nothing", "/livez",
			} {
				var want []string
				if strings.HasPrefix(path, "/v1/test/kept") || path == "/v1/test/fresh" {
					want = append(want, "accept", "accept-encoding")
				}
				if keyed && path != "/livez" && path != "/nothing" {
					want = append(want, "authorization")
				}
				if cors {
					want = append(want, "origin")
				}
				check := func(what, method string, header http.Header, statuses ...int) http.Header {
					t.Helper()
					status, answer, _ := i.send(t, method, path, header)
					got := strings.FieldsFunc(strings.ToLower(strings.Join(answer["Vary"], ",")), func(r rune) bool { return r == ',' || r == ' ' })
					slices.Sort(got)
					if !slices.Equal(got, want) || len(statuses) > 0 && !slices.Contains(statuses, status) {
						t.Errorf("cors %t, keys %t, %s %s (%s): %d, Vary %q, want %q", cors, keyed, method, path, what, status, answer["Vary"], want)
					}
					return answer
				}
				slices.Sort(want)
				header := http.Header{"Authorization": {"Bearer " + secret}, "Origin": {origin}}
				full := check("first", http.MethodGet, header)
				check("cached", http.MethodGet, header)
				check("no key, no origin", http.MethodGet, nil)
				check("another origin", http.MethodGet, http.Header{"Origin": {"https://b.example"}})
				check("refused formats", http.MethodGet, http.Header{"Authorization": header["Authorization"], "Accept": {"image/png"}})
				head := check("HEAD", http.MethodHead, header)
				etag := full.Get("ETag")
				if etag == "" {
					continue
				}
				header.Set("If-None-Match", `"x", `+etag)
				unchanged := check("304", http.MethodGet, header, http.StatusNotModified)
				for _, name := range []string{"ETag", "Cache-Control", "Data-As-Of", "Access-Control-Allow-Origin"} {
					if full.Get(name) != unchanged.Get(name) || full.Get(name) != head.Get(name) {
						t.Errorf("%s: %s is %q, with HEAD %q, with 304 %q", path, name, full.Get(name), head.Get(name), unchanged.Get(name))
					}
				}
			}
			status, answer, _ := i.send(t, http.MethodOptions, "/v1/test/kept", http.Header{"Origin": {origin}, "Access-Control-Request-Method": {"GET"}})
			if cors && (status != http.StatusNoContent || !strings.Contains(strings.Join(answer["Vary"], ","), "Origin")) {
				t.Errorf("preflight: %d %v", status, answer)
			}
		}
	}
}

// If-None-Match is a list, over several lines too, or "*" alone; each representation has
// an ETag of its own.
func TestIfNoneMatch(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"rows": "-- Rows.\n-- cache: 1h\nSELECT range AS n FROM range(1000)"})
	etags := map[string]string{}
	for _, path := range []string{"/v1/test/rows", "/v1/test/rows?format=csv", "/v1", "/openapi.json"} {
		for _, coding := range []string{"", "gzip", "zstd"} {
			_, header, _ := i.send(t, http.MethodGet, path, http.Header{"Accept-Encoding": {coding}})
			etag := header.Get("ETag")
			if other, ok := etags[etag]; ok && other != path+header.Get("Content-Encoding") || etag == "" {
				t.Errorf("%s, %s has the ETag %s of %s", path, coding, etag, other)
			}
			etags[etag] = path + header.Get("Content-Encoding")
			strong := strings.TrimPrefix(etag, "W/")
			for _, c := range []struct {
				given []string
				want  int
			}{
				{[]string{etag}, 304},
				{[]string{strong}, 304},
				{[]string{"W/" + strong}, 304},
				{[]string{`"a,b" , ` + etag}, 304},
				{[]string{`"a"`, etag}, 304},
				{[]string{"*"}, 304},
				{[]string{`"a", *`}, 200},
				{[]string{`"*"`}, 200},
				{[]string{strings.Trim(strong, `"`)}, 200},
				{[]string{`"a"`}, 200},
				{[]string{"w/" + strong}, 200},
				{[]string{""}, 200},
			} {
				status, header, body := i.send(t, http.MethodGet, path, http.Header{"Accept-Encoding": {coding}, "If-None-Match": c.given})
				if status != c.want || (status == 304) != (len(body) == 0) || header.Get("ETag") != etag {
					t.Errorf("%s, %s with %q: %d, want %d, %v", path, coding, c.given, status, c.want, header)
				}
			}
		}
	}
}

// The scheme is case-insensitive, and Authorization may not be repeated.
func TestAuthorization(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.json")
	secret := keyFile(t, file, access.Key{Name: "all", Datasets: []string{"*"}})["all"]
	keys, err := access.LoadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	i := setup(t, "SELECT 1", map[string]string{"one": "-- One.\nSELECT 1 AS n"}, func(cfg *api.Config) { cfg.Access = &access.Authenticator{Keys: keys} })
	const invalid = `Bearer realm="Estela", error="invalid_token"`
	basic := "Basic " + basicAuth("me", secret)
	for _, c := range []struct {
		path          string
		authorization []string
		status        int
		challenge     string
	}{
		{"/v1/test/one", []string{"Bearer " + secret}, 200, ""},
		{"/v1/test/one", []string{"bearer " + secret}, 200, ""},
		{"/v1/test/one", []string{"BEARER   " + secret + " "}, 200, ""},
		{"/v1/test/one", nil, 401, `Bearer realm="Estela"`},
		{"/v1/test/one", []string{""}, 401, `Bearer realm="Estela"`},
		{"/v1/test/one", []string{"bearer"}, 401, `Bearer realm="Estela"`},
		{"/v1/test/one", []string{"bearer "}, 401, `Bearer realm="Estela"`},
		{"/v1/test/one", []string{"Bearer" + secret}, 401, `Bearer realm="Estela"`},
		{"/v1/test/one", []string{basic}, 200, ""},
		{"/v1/test/one", []string{"Basic " + basicAuth("me", "wrong")}, 401, invalid},
		{"/v1/test/one", []string{"Basic " + secret}, 401, `Bearer realm="Estela"`},
		{"/v1/test/one", []string{"bearer " + strings.ToLower(secret)}, 401, invalid},
		{"/v1/test/one", []string{"bearer " + secret + " " + secret}, 401, invalid},
		{"/v1/test/one", []string{"Bearer " + secret, "Bearer " + secret}, 400, ""},
		{"/v1/test/one", []string{"Bearer " + secret, basic}, 400, ""},
		{"/docs", []string{basic}, 200, ""},
		{"/docs", []string{"bAsIc  " + basicAuth("", secret)}, 200, ""},
		{"/docs", []string{"bearer " + secret}, 200, ""},
		{"/docs", []string{"Basic " + basicAuth("me", "wrong")}, 401, "Basic realm"},
		{"/docs", []string{"Basic !"}, 401, "Basic realm"},
		{"/openapi.json", []string{basic, basic}, 400, "Basic realm"},
	} {
		status, header, body := i.send(t, http.MethodGet, c.path, http.Header{"Authorization": c.authorization})
		if status != c.status || !strings.HasPrefix(header.Get("WWW-Authenticate"), c.challenge) || strings.Contains(string(body), secret) ||
			c.challenge == "" && header.Get("WWW-Authenticate") != "" {
			t.Errorf("%s with %.16q: %d, %q, want %d, %q: %s", c.path, c.authorization, status, header["Www-Authenticate"], c.status, c.challenge, body)
		}
	}
}

// Percent-encoded unreserved characters are equivalent to plain ones, in path and query.
func TestPercentEncoding(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"one-a_b": "-- One.\n-- param: s string\nSELECT $s AS s"})
	for path, want := range map[string]int{
		"/v1/test/one-a_b":          200,
		"/v1/t%65st/%6F%6ee-a%5fb":  200,
		"/%76%31/test/one-a_b":      200,
		"/%64ocs":                   200,
		"/v%31":                     200,
		"/v1%2Ftest%2Fone-a_b":      404,
		"/v1/test%2fone-a_b":        404,
		"/v1/test/one-a_b%00":       404,
		"/v1/test/one-a_b%20":       404,
		"/v1/test/./one-a_b":        404,
		"/v1/test/%2e/one-a_b":      404,
		"/v1/x/../test/one-a_b":     404,
		"/v1/x/%2E%2e/test/one-a_b": 404,
		"/v1//test/one-a_b":         404,
		"//v1/test/one-a_b":         404,
		"/v1/test/ONE-A_B":          404,
		"/v1/test/one-a_%62%":       400,
		"/v1/test/%zz":              400,
		"/v1/%6":                    400,
	} {
		statuses, _ := raw(t, i.URL, "GET "+path+" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
		if len(statuses) != 1 || statuses[0] != want {
			t.Errorf("%s: %v, want %d", path, statuses, want)
		}
	}
	for query, want := range map[string]string{
		"s=a+b%2Bc":              `"s":"a b+c"`,
		"%73=x":                  `"s":"x"`,
		"&s=x&&":                 `"s":"x"`,
		"s=%C3%A9;=":             `"s":"é;="`,
		"s=%zz":                  `It has \"%zz\", which is no percent-encoding.`,
		"s=100%":                 `It has \"%\", which is no percent-encoding.`,
		"s=%4":                   `It has \"%4\", which is no percent-encoding.`,
		"%zz=1":                  `It has \"%zz\"`,
		"s=a&%73=b":              "It is given more than once.",
		"s=%ff":                  "It is not UTF-8 text.",
		"t=1":                    "This endpoint has the parameters s.",
		"=1":                     "This endpoint has the parameters s.",
		"format=json&format=csv": "It is given more than once.",
		"format=%zz":             "It must be one of json",
	} {
		if r := i.get(t, "/v1/test/one-a_b?"+query); !strings.Contains(r.text, want) {
			t.Errorf("%s: %s, want %s", query, r.text, want)
		}
	}
}

func basicAuth(name, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(name + ":" + password))
}
