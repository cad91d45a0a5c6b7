package ingest_test

import (
	"net/http"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/estela-dev/estela/services/internal/ingest"
)

func TestCloudEvents(t *testing.T) {
	t.Parallel()
	s := setup(t, things(t, 1))
	const head = `"specversion":"1.0","id":"a","source":"/s","type":"made"`
	for name, c := range map[string]struct {
		contentType, body string
		headers           []string
		want              []string
	}{
		"structured": {
			"application/cloudevents+json; charset=utf-8", `{` + head + `,"subject":"x","time":"2026-01-02T03:04:05Z","level":7,"data":{"text":"hello"}}`, nil,
			[]string{`{"id":"a","p":"x","at":"2026-01-02T03:04:05Z","n":7,"kind":"made","text":"hello"}`},
		},
		"without data":    {"application/cloudevents+json", `{` + head + `,"subject":"x","data":null,"time":null}`, nil, []string{`{"id":"a","p":"x","kind":"made"}`}},
		"with empty data": {"application/cloudevents+json", `{` + head + `,"subject":"x","data": { } }`, nil, []string{`{"id":"a","p":"x","kind":"made" }`}},
		"data goes first": {"application/cloudevents+json", `{` + head + `,"data": {"p":"y","id":"b"},"subject":"x"}`, nil, []string{`{"kind":"made","p":"y","id":"b"}`}},
		"an escaped name": {"application/cloudevents+json", `{` + head + `,"data": {"\u0070":"y"},"subject":"x"}`, nil, []string{`{"id":"a","kind":"made","\u0070":"y"}`}},
		"data in base64":  {"application/cloudevents+json", `{` + head + `,"subject":"x","data_base64":"eyJuIjoxfQ=="}`, nil, []string{`{"id":"a","p":"x","kind":"made","n":1}`}},
		"an escape":       {"application/cloudevents+json", `{` + head + `,"subject":"a\"\u00e9","datacontenttype":"application/json"}`, nil, []string{`{"id":"a","p":"a\"\u00e9","kind":"made"}`}},
		"a batch":         {"application/cloudevents-batch+json", `[{` + head + `,"subject":"x"},` + "\n" + `{` + head + `,"subject":"y"}]`, nil, []string{`{"id":"a","p":"x","kind":"made"}`, `{"id":"a","p":"y","kind":"made"}`}},
		"binary":          {"application/json", `{"text":"hello"}`, []string{"ce-specversion", "1.0", "ce-id", "a", "ce-source", "/s", "ce-type", "made", "ce-subject", "x", "ce-level", "7"}, []string{`{"id":"a","p":"x","n":7,"kind":"made","text":"hello"}`}},
		"binary, no data": {"", ``, []string{"ce-specversion", "1.0", "ce-id", "a%20%C3%A9", "ce-source", "/s", "ce-type", "made", "ce-subject", "x"}, []string{`{"id":"a é","p":"x","kind":"made"}`}},
		"binary, quoted":  {"application/json", `{}`, []string{"ce-specversion", "1.0", "ce-id", `"a \\ \" %C3%A9"`, "ce-source", "/s", "ce-type", "made", "ce-subject", `"`}, []string{`{"id":"a \\ \" é","p":"\"","kind":"made"}`}},
		"binary, pretty":  {"application/vnd.thing+json", "{\n}", []string{"ce-specversion", "1.0", "ce-id", "7", "ce-source", "/s", "ce-type", "made", "ce-subject", "x"}, []string{`{"id":"7","p":"x","kind":"made" }`}},
	} {
		s.redis.Do("DEL", "estela:{things:0}")
		s.post(t, "", c.contentType, []byte(c.body), c.headers...).wants(t, name, http.StatusAccepted, "")
		equal(t, name, s.events(t), c.want)
	}
}

func TestCloudEventsRefused(t *testing.T) {
	t.Parallel()
	s := setup(t, things(t, 1))
	const head = `"specversion":"1.0","id":"a","source":"/s","type":"made","subject":"x"`
	binary := func(without string, more ...string) []string {
		var headers []string
		for _, pair := range [][2]string{{"ce-specversion", "1.0"}, {"ce-id", "a"}, {"ce-source", "/s"}, {"ce-type", "made"}, {"ce-subject", "x"}} {
			if pair[0] != without {
				headers = append(headers, pair[0], pair[1])
			}
		}
		return append(headers, more...)
	}
	for name, c := range map[string]struct {
		contentType, body string
		headers           []string
		pointer, keyword  string
	}{
		"no object":            {"application/cloudevents+json", `[]`, nil, "", "cloudevent"},
		"not JSON":             {"application/cloudevents+json", `{` + head + `,"x":tru}`, nil, "", "cloudevent"},
		"more after it":        {"application/cloudevents+json", `{` + head + `}{}`, nil, "", "cloudevent"},
		"another version":      {"application/cloudevents+json", `{"specversion":"0.3","id":"a","source":"/s","type":"made"}`, nil, "/specversion", "cloudevent"},
		"no ID":                {"application/cloudevents+json", `{"specversion":"1.0","source":"/s","type":"made"}`, nil, "/id", "cloudevent"},
		"an empty source":      {"application/cloudevents+json", `{"specversion":"1.0","id":"a","source":"","type":"made"}`, nil, "/source", "cloudevent"},
		"a number for a type":  {"application/cloudevents+json", `{"specversion":"1.0","id":"a","source":"/s","type":123}`, nil, "/type", "cloudevent"},
		"an attribute twice":   {"application/cloudevents+json", `{` + head + `,"id":"b"}`, nil, "/id", "cloudevent"},
		"data that is XML":     {"application/cloudevents+json", `{` + head + `,"datacontenttype":"text/xml","data":"<a/>"}`, nil, "/datacontenttype", "cloudevent"},
		"data twice":           {"application/cloudevents+json", `{` + head + `,"data":{},"data_base64":"e30="}`, nil, "/data_base64", "cloudevent"},
		"no base64":            {"application/cloudevents+json", `{` + head + `,"data_base64":"{}"}`, nil, "/data_base64", "cloudevent"},
		"data that is a text":  {"application/cloudevents+json", `{` + head + `,"data":"text"}`, nil, "/data", "cloudevent"},
		"data with more":       {"application/cloudevents+json", `{` + head + `,"data":{"more":1}}`, nil, "/more", "additionalProperties"},
		"an invalid attribute": {"application/cloudevents+json", `{` + head + `,"level":-1}`, nil, "/n", "minimum"},
		"one of a batch":       {"application/cloudevents-batch+json", `[{` + head + `},{"id":"a"}]`, nil, "/specversion", "cloudevent"},
		"binary, no source":    {"application/json", `{}`, binary("ce-source"), "/source", "cloudevent"},
		"binary, two IDs":      {"application/json", `{}`, binary("", "ce-id", "b"), "/id", "cloudevent"},
		"binary, two subjects": {"application/json", `{}`, binary("", "ce-subject", "b"), "/subject", "cloudevent"},
		"binary, bad escape":   {"application/json", `{}`, binary("ce-subject", "ce-subject", "%zz"), "/subject", "cloudevent"},
		"binary, version":      {"application/json", `{}`, binary("ce-specversion", "ce-specversion", "2.0"), "/specversion", "cloudevent"},
		"binary, no object":    {"application/json", `7`, binary(""), "/data", "cloudevent"},
		"binary, no UTF-8":     {"application/json", `{}`, binary("ce-source", "ce-source", "%C0%A0"), "/source", "cloudevent"},
		"binary, only quotes":  {"application/json", `{}`, binary("ce-type", "ce-type", `""`), "/type", "cloudevent"},
		"binary, no number":    {"application/json", `{}`, binary("", "ce-level", "high"), "/n", "type"},
	} {
		// Also where invalid events become rejects: what is no CloudEvent is no event.
		query := "?on-invalid=reject"
		if c.keyword != "cloudevent" {
			query = ""
		}
		r := s.post(t, query, c.contentType, []byte(c.body), c.headers...)
		r.wants(t, name, http.StatusUnprocessableEntity, "invalid-events")
		if len(r.Errors) != 1 || r.Errors[0].Pointer != c.pointer || r.Errors[0].Keyword != c.keyword {
			t.Errorf("%s: %s", name, r.text)
		}
	}
	s.post(t, "", "text/xml", []byte(`<a/>`), binary("")...).wants(t, "binary XML", http.StatusUnsupportedMediaType, "unsupported-media-type")
	s.post(t, "", ndjson, []byte(thing("a", "x")), binary("")...).wants(t, "binary lines", http.StatusUnsupportedMediaType, "unsupported-media-type")
	if got := s.events(t); len(got) > 0 {
		t.Errorf("published: %q", got)
	}
}

// Without x-estela.cloudevents the data is the event.
func TestCloudEventsWithoutAttributes(t *testing.T) {
	t.Parallel()
	s := setup(t, parse(t, "things", `{"type": "object", "x-estela": {"key": "id"}, "required": ["id"], "properties": {"id": {"type": "string"}}}`))
	s.post(t, "", "application/cloudevents+json", []byte(`{"specversion":"1.0","id":"a","source":"/s","type":"t","data":{"id":"b"}}`)).wants(t, "data", http.StatusAccepted, "")
	equal(t, "published", s.events(t), []string{`{"id":"b"}`})
}

// In binary mode datacontenttype is Content-Type.
func TestCloudEventsContentType(t *testing.T) {
	t.Parallel()
	s := setup(t, parse(t, "things", `{"type": "object", "x-estela": {"key": "id", "cloudevents": {"id": "id", "datacontenttype": "kind"}}, "required": ["id"],
		"properties": {"id": {"type": "string"}, "kind": {"type": "string"}}}`))
	s.post(t, "", "application/vnd.a+json", []byte(`{}`), "ce-specversion", "1.0", "ce-id", "a", "ce-source", "/s", "ce-type", "t").wants(t, "binary", http.StatusAccepted, "")
	s.post(t, "", "application/cloudevents+json", []byte(`{"specversion":"1.0","id":"a","source":"/s","type":"t","datacontenttype":"application/vnd.a+json","data":{}}`)).wants(t, "structured", http.StatusAccepted, "")
	const want = `{"id":"a","kind":"application/vnd.a+json"}`
	equal(t, "published", s.events(t), []string{want, want})
}

// The sender of the CloudEvents SDK, in both of its modes.
func TestCloudEventsSDK(t *testing.T) {
	t.Parallel()
	s := setup(t, things(t, 1), limits(func(*ingest.Config) {}))
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client, err := cloudevents.NewClientHTTP(cloudevents.WithRoundTripper(transport))
	if err != nil {
		t.Fatal(err)
	}
	e := cloudevents.NewEvent()
	e.SetID("a")
	e.SetSource("https://example.com/source")
	e.SetType("made")
	e.SetSubject("x/ä y")
	e.SetTime(time.Date(2026, 1, 2, 3, 4, 5, 600, time.UTC))
	e.SetExtension("level", 7)
	if err := e.SetData(cloudevents.ApplicationJSON, map[string]string{"text": "hello"}); err != nil {
		t.Fatal(err)
	}
	target := cloudevents.ContextWithTarget(t.Context(), s.url+"/v1/things/events")
	for _, ctx := range []struct {
		name string
		send error
	}{
		{"binary", client.Send(cloudevents.WithEncodingBinary(target), e)},
		{"structured", client.Send(cloudevents.WithEncodingStructured(target), e)},
	} {
		if !cloudevents.IsACK(ctx.send) {
			t.Errorf("%s: %v", ctx.name, ctx.send)
		}
	}
	const want = `{"id":"a","p":"x/ä y","at":"2026-01-02T03:04:05.0000006Z","n":7,"kind":"made","text":"hello"}`
	equal(t, "published", s.events(t), []string{want, want})
	if err := e.SetData(cloudevents.ApplicationJSON, map[string]int{"text": 7}); err != nil {
		t.Fatal(err)
	}
	if result := client.Send(target, e); cloudevents.IsACK(result) {
		t.Errorf("an invalid event: %v", result)
	}
}
