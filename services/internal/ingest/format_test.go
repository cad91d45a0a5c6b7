package ingest_test

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
)

func gzipped(t testing.TB, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zstandard(t testing.TB, text []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(text, nil)
}

func TestFormats(t *testing.T) {
	t.Parallel()
	a, b := thing("a", "x"), thing("b", "x")
	pretty := "{\n \"id\": \"a\",\r\n \"p\": \"x\"\n}"
	flat := "{  \"id\": \"a\",   \"p\": \"x\" }"
	for name, c := range map[string]struct {
		contentType, body string
		want              []string
	}{
		"one":                   {"application/json", a, []string{a}},
		"one, pretty":           {"application/json; charset=UTF-8", pretty, []string{flat}},
		"one, with space":       {"application/json", "\r\n " + a + "\n", []string{a}},
		"an array":              {"application/json", "[" + a + "," + b + "]", []string{a, b}},
		"an array, pretty":      {"application/json", " [\n" + a + " ,\n\t" + pretty + "\n]\n", []string{a, flat}},
		"lines":                 {ndjson, a + "\n" + b + "\n", []string{a, b}},
		"lines without the end": {"application/jsonl", a + "\r\n\n  \n" + b, []string{a, b}},
		"one line":              {"application/ndjson", a, []string{a}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := setup(t, things(t, 1))
			for coding, encode := range map[string]func(testing.TB, []byte) []byte{
				"": func(_ testing.TB, text []byte) []byte { return text }, "gzip": gzipped, "zstd": zstandard,
			} {
				s.redis.Do("DEL", "estela:{things:0}")
				r := s.post(t, "", c.contentType, encode(t, []byte(c.body)), "Content-Encoding", coding)
				r.wants(t, coding, http.StatusAccepted, "")
				got := s.events(t)
				for i := range got {
					got[i] = strings.TrimSpace(got[i])
				}
				equal(t, name+" "+coding, got, c.want)
				if r.Events != len(c.want) || r.Rejected != 0 || r.Stored || len(r.Streams) != 1 || r.Streams[0].Events != len(c.want) {
					t.Errorf("%s %s: %s", name, coding, r.text)
				}
				ids, _ := s.redis.Do("XRANGE", "estela:{things:0}", r.Streams[0].First, r.Streams[0].Last).([]any)
				if all := s.redis.Do("XLEN", "estela:{things:0}"); int64(len(ids)) != all {
					t.Errorf("%s %s: the range has %d of %v entries", name, coding, len(ids), all)
				}
			}
		})
	}
}

// A body may come in chunks, after which the connection ends, or only after 100 Continue.
func TestBodiesOfUnknownLength(t *testing.T) {
	t.Parallel()
	s := setup(t, things(t, 1))
	r, err := s.send(t.Context(), "", ndjson, io.MultiReader(strings.NewReader(thing("a", "x")+"\n"), strings.NewReader(thing("b", "x"))))
	if err != nil {
		t.Fatal(err)
	}
	r.wants(t, "chunks", http.StatusAccepted, "")
	s.post(t, "", ndjson, bytes.Repeat([]byte(thing("c", "x")+"\n"), 1000), "Expect", "100-continue").wants(t, "continue", http.StatusAccepted, "")
	if n := len(s.events(t)); n != 1002 {
		t.Errorf("%d events", n)
	}
}

func TestBodiesRefused(t *testing.T) {
	t.Parallel()
	s := setup(t, things(t, 1))
	a := thing("a", "x")
	for name, c := range map[string]struct {
		contentType, body, coding string
		status                    int
		kind                      string
	}{
		"nothing":                {"application/json", "", "", 400, "invalid-body"},
		"white space":            {"application/json", " \n", "", 400, "invalid-body"},
		"an empty array":         {"application/json", "[]", "", 400, "invalid-body"},
		"blank lines":            {ndjson, "\n\n", "", 400, "invalid-body"},
		"an array without end":   {"application/json", "[" + a, "", 400, "invalid-body"},
		"an array, then more":    {"application/json", "[" + a + "]" + a, "", 400, "invalid-body"},
		"an open string":         {"application/json", "[" + a + `,"`, "", 400, "invalid-body"},
		"a batch that is none":   {"application/cloudevents-batch+json", a, "", 400, "invalid-body"},
		"no gzip":                {ndjson, a, "gzip", 400, "invalid-body"},
		"no zstd":                {ndjson, a, "zstd", 400, "invalid-body"},
		"gzip, not said":         {ndjson, string(gzipped(t, []byte(a))), "", 400, "invalid-body"},
		"gzip twice":             {ndjson, string(gzipped(t, gzipped(t, []byte(a)))), "gzip", 400, "invalid-body"},
		"gzip without end":       {ndjson, string(gzipped(t, []byte(a)))[:20], "gzip", 400, "invalid-body"},
		"gzip, then more":        {ndjson, string(gzipped(t, []byte(a))) + "x", "gzip", 400, "invalid-body"},
		"lines as JSON":          {"application/json", a + "\n" + a, "", 422, "invalid-events"},
		"an array of lines":      {"application/json", "[" + a + "\n" + a + "]", "", 422, "invalid-events"},
		"a comma too many":       {"application/json", "[" + a + ",]", "", 422, "invalid-events"},
		"an array as a line":     {ndjson, "[" + a + "]", "", 422, "invalid-events"},
		"another coding":         {ndjson, a, "br", 415, "unsupported-media-type"},
		"two codings":            {ndjson, a, "gzip, gzip", 415, "unsupported-media-type"},
		"another type":           {"application/xml", a, "", 415, "unsupported-media-type"},
		"what a form sends":      {"application/x-www-form-urlencoded", a, "", 415, "unsupported-media-type"},
		"what a page may send":   {"text/plain", a, "", 415, "unsupported-media-type"},
		"a form with files":      {"multipart/form-data; boundary=b", "--b\r\n\r\n" + a + "\r\n--b--", "", 415, "unsupported-media-type"},
		"another charset":        {"application/json; charset=latin1", a, "", 415, "unsupported-media-type"},
		"no type":                {"", a, "", 415, "unsupported-media-type"},
		"a type that is not one": {"application/json, text/plain", a, "", 415, "unsupported-media-type"},
	} {
		s.post(t, "", c.contentType, []byte(c.body), "Content-Encoding", c.coding).wants(t, name, c.status, c.kind)
	}
	for query, parameter := range map[string]string{"?on-invalid=drop": "on-invalid", "?durability=disk": "durability", "?dry-run=1": "dry-run", "?durability=stored&durability=accepted": "durability"} {
		if r := s.post(t, query, ndjson, []byte(a)); r.status != 400 || r.Parameter != parameter {
			t.Errorf("%s: %d %s", query, r.status, r.text)
		}
	}
	if got := s.events(t); len(got) > 0 {
		t.Errorf("published: %q", got)
	}
}

func TestInvalidEvents(t *testing.T) {
	t.Parallel()
	s := setup(t, things(t, 3))
	body := thing("a", "x") + "\n\n" + `{"id":"","p":"x","n":-1}` + "\n" + thing("b", "y") + "\nno JSON\n" + `{"id":"c","p":"x","more":1}`
	r := s.post(t, "", ndjson, []byte(body))
	r.wants(t, "some are invalid", http.StatusUnprocessableEntity, "invalid-events")
	var got []string
	for _, e := range r.Errors {
		got = append(got, fmt.Sprint(e.Line, " ", e.Pointer, " ", e.Keyword))
	}
	equal(t, "violations", got, []string{"3 /id minLength", "3 /n minimum", "5  json", "6 /more additionalProperties"})
	if r.Invalid != 3 || !strings.Contains(r.Detail, "3 of 5") {
		t.Errorf("%s", r.text)
	}
	if got := s.events(t); len(got) > 0 {
		t.Errorf("published: %q", got)
	}
	// All of them are published, and the decoder finds the same three.
	r = s.post(t, "?on-invalid=reject", ndjson, []byte(body))
	r.wants(t, "rejects", http.StatusAccepted, "")
	if rows, rejects := s.decoded(t); rows != 2 || rejects != 3 || r.Events != 5 || r.Rejected != 3 {
		t.Errorf("%d rows, %d rejects: %s", rows, rejects, r.text)
	}
	if s.observer.events != 5 || s.observer.broken != 3 || s.observer.posted["422 invalid-events"] != 1 || s.observer.posted["202"] != 1 {
		t.Errorf("observed %+v", s.observer.posted)
	}
}

// Rejects keep their bytes, also those that are no line.
func TestRejectsKeepTheirBytes(t *testing.T) {
	t.Parallel()
	s := setup(t, things(t, 1))
	bad := "{\n\"id\": 7 }"
	s.post(t, "?on-invalid=reject", "application/json", []byte("["+thing("a", "x")+","+bad+","+thing("b", "x")+"]")).wants(t, "an array", http.StatusAccepted, "")
	equal(t, "published", s.events(t), []string{thing("a", "x"), bad, thing("b", "x")})
}

// However many are invalid, the answer is short.
func TestInvalidEventsAreBounded(t *testing.T) {
	t.Parallel()
	s := setup(t, things(t, 1))
	r := s.post(t, "", ndjson, []byte(strings.Repeat(`{"a":1,"b":1,"c":1,"d":1,"e":1,"f":1,"g":1,"h":1,"i":1,"j":1,"k":1,"l":1}`+"\n", 5000)))
	r.wants(t, "all are invalid", http.StatusUnprocessableEntity, "invalid-events")
	if r.Invalid != 5000 || len(r.Errors) != 100 || r.Errors[99].Line != 10 || len(r.text) > 32<<10 {
		t.Errorf("%d invalid, %d listed, %d bytes", r.Invalid, len(r.Errors), len(r.text))
	}
}
