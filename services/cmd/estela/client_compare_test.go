package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"math"
	"math/big"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"
)

// used is a line that a program printed.
type used struct {
	// Get is the request that a plain download makes for the same rows.
	Get   string
	Rows  []any
	Pages int
	AsOf  *string
	Taken int
	// Fails is what was tried and refused.
	Fails, Kind, Type, Title, Detail, Parameter, RequestID string
	Status                                                 int
	RetryAfter                                             float64
}

// clientPages are the pages that each request has to take at least.
var clientPages = map[string]int{"airports?state=TX": 2, "departures?": 3, "events?until": 2, "kinds/all": 2}

func (s *clientServer) compare(t *testing.T, lang string, out []byte) {
	t.Helper()
	asked, failed, eventPages := 0, map[string]used{}, 0
	for line := range bytes.Lines(out) {
		var u used
		if err := decodeExactly(line, &u); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if u.Get == "" {
			failed[u.Fails] = u
			continue
		}
		asked++
		s.comparePages(t, u)
		if strings.HasPrefix(u.Get, "/v1/flights/events") {
			eventPages += u.Pages
		}
	}
	if asked != 12 {
		t.Errorf("asked for %d answers, not 12", asked)
	}
	// Two pages have the 15 rows; the refused cursor and the plain download are one request each.
	if got, want := s.events.Load(), int64(eventPages+2+1+1); got != want {
		t.Errorf("flights/events was asked %d times, want %d: pages are asked for that nobody needs", got, want)
	}
	compareFailures(t, lang, failed)
}

// comparePages compares what a program got with a plain download.
func (s *clientServer) comparePages(t *testing.T, u used) {
	t.Helper()
	rows, asOf, link := s.download(t, u.Get)
	if len(rows) == 0 || link != "" && u.Taken == 0 {
		t.Fatalf("%s: the download has %d rows and the next page %q", u.Get, len(rows), link)
	}
	if u.Taken != 0 {
		if u.Taken != 15 {
			t.Errorf("took %d rows, want 15", u.Taken)
		}
	} else if !sameValue(value(u.AsOf), asOf) {
		t.Errorf("%s: shows data as of %v, the header says %s", u.Get, value(u.AsOf), asOf)
	}
	for part, least := range clientPages {
		if strings.Contains(u.Get, part) && u.Pages < least {
			t.Errorf("%s took %d pages, want %d at least", u.Get, u.Pages, least)
		}
	}
	if len(rows) != len(u.Rows) {
		t.Fatalf("%s: %d rows, the download has %d", u.Get, len(u.Rows), len(rows))
	}
	for i := range rows {
		if !sameValue(u.Rows[i], rows[i]) {
			t.Fatalf("%s: row %d is\n%v\nthe download has\n%v", u.Get, i, u.Rows[i], rows[i])
		}
	}
}

func value(text *string) any {
	if text == nil {
		return nil
	}
	return *text
}

// download gets the rows as NDJSON.
func (s *clientServer) download(t *testing.T, get string) (rows []any, asOf any, link string) {
	t.Helper()
	if !strings.Contains(get, "limit=") && !strings.Contains(get, "delays") && !strings.Contains(get, "names") && !strings.Contains(get, "by") {
		get += map[bool]string{true: "&", false: "?"}[strings.Contains(get, "?")] + "limit=10000"
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+get, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header = http.Header{"Authorization": {"Bearer " + s.key}, "Accept": {"application/x-ndjson"}}
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(res.Body)
		t.Fatalf("%s: %s %s", get, res.Status, body)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var row any
		if err := decodeExactly(lines.Bytes(), &row); err != nil {
			t.Fatal(err)
		}
		rows = append(rows, row)
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if at := res.Header.Get("Data-As-Of"); at != "" {
		asOf = at
	}
	return rows, asOf, res.Header.Get("Link")
}

// decodeExactly keeps the digits of numbers.
func decodeExactly(text []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(into)
}

// sameValue reports whether a program printed the value of the download. Numbers and times may be
// written in another way, and a decimal as a string.
func sameValue(got, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		for name := range want {
			ok = ok && sameValue(object[name], want[name])
		}
		return ok && len(object) == len(want)
	case []any:
		list, ok := got.([]any)
		for i := range want {
			ok = ok && len(list) == len(want) && sameValue(list[i], want[i])
		}
		return ok && len(list) == len(want)
	case json.Number:
		if text, ok := got.(string); ok {
			return sameNumber(text, want.String())
		}
		number, ok := got.(json.Number)
		return ok && sameNumber(number.String(), want.String())
	case string:
		text, ok := got.(string)
		return ok && (text == want || sameTime(text, want))
	default:
		return reflect.DeepEqual(got, want)
	}
}

func sameNumber(got, want string) bool {
	a, ok := new(big.Rat).SetString(got)
	b, also := new(big.Rat).SetString(want)
	return ok && also && a.Cmp(b) == 0 && strings.HasPrefix(got, "-") == strings.HasPrefix(want, "-")
}

func sameTime(got, want string) bool {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		a, err := time.Parse(layout, got)
		b, also := time.Parse(layout, want)
		if err == nil && also == nil && a.Equal(b) {
			return true
		}
	}
	return false
}

func compareFailures(t *testing.T, lang string, got map[string]used) {
	t.Helper()
	want := map[string]used{
		"parameter": {Kind: "BadRequestError", Status: 400, Type: "/docs/problems/invalid-parameter", Title: "Invalid parameter", Parameter: "width"},
		"page":      {Kind: "BadRequestError", Status: 400, Type: "/docs/problems/invalid-cursor", Title: "Invalid cursor", Parameter: "cursor"},
		"no key":    {Kind: "UnauthorizedError", Status: 401, Type: "/docs/problems/unauthorized", Title: "API key required"},
		"rate":      {Kind: "RateLimitedError", Status: 429, Type: "/docs/problems/rate-limited", Title: "Too many requests", RetryAfter: 1},
		"timeout":   {Kind: "TimeoutError"},
		"proxy":     {Kind: "ProblemError", Status: 502, Type: "about:blank", Title: "HTTP status 502", RetryAfter: 3600},
	}
	if lang == "python" {
		want["naive"] = used{Kind: "ValueError"}
	} else {
		want["aborted"], want["aborted before"] = used{Kind: "AbortError"}, used{Kind: "AbortError"}
	}
	for name, w := range want {
		g := got[name]
		if g.Kind != w.Kind || g.Status != w.Status || g.Type != w.Type || g.Title != w.Title || g.Parameter != w.Parameter || math.Abs(g.RetryAfter-w.RetryAfter) > w.RetryAfter/10 {
			t.Errorf("%s failed with %+v, want %+v", name, g, w)
		}
		if w.Status != 0 && (g.Detail == "" || g.RequestID == "" && name != "proxy") {
			t.Errorf("%s: no detail or request ID: %+v", name, g)
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d calls failed, want %d", len(got), len(want))
	}
}
