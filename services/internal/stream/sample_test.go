package stream_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/redistest"
	"github.com/estela-dev/estela/services/internal/stream"
)

func joined(documents [][]byte) string { return string(bytes.Join(documents, []byte(" "))) }

func TestSampleFindsTheForm(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	for _, c := range []struct {
		name    string
		entries [][]any
		field   string
		texts   bool
		other   int
		ignored string
		want    string
	}{
		{"one field", [][]any{{"payload", `{"id":1}`}, {"payload", ` {"id":2}`}}, "payload", false, 0, "[]", `{"id":1}  {"id":2}`},
		{
			"one field and others",
			[][]any{{"type", "created", "payload", `{"id":1}`, "traceparent", "00-x"}, {"payload", `{"id":2}`, "at", "1"}},
			"payload", false, 0, "[at type]", `{"id":1} {"id":2}`,
		},
		{"Estela's", [][]any{{"event", `{"id":1}`}, {"events", "{\"id\":2}\n\n{\"id\":3}\r\n"}}, "event", false, 0, "[]", `{"id":1} {"id":2} {"id":3}`},
		{"own fields", [][]any{{"id", "1", "text", "a \"b\"", "traceparent", "00-x"}, {"id", "2"}}, "", true, 0, "[]", `{"id":"1","text":"a \"b\""} {"id":"2"}`},
		{"own fields, one of JSON in some", [][]any{{"id", "1", "more", "{}"}, {"id", "2"}}, "", true, 0, "[]", `{"id":"1","more":"{}"} {"id":"2"}`},
		{"two fields of JSON", [][]any{{"a", "{}", "b", "{}"}}, "", true, 0, "[]", `{"a":"{}","b":"{}"}`},
		{"JSON that is no object", [][]any{{"n", "1", "list", "[{}]"}}, "", true, 0, "[]", `{"n":"1","list":"[{}]"}`},
		{"fields that none can keep", [][]any{{"id", "1"}, {"id", "\xff"}, {"id", "\x00"}, {"id", "2", "id", "3"}}, "", true, 3, "[]", `{"id":"1"}`},
	} {
		server.Do("DEL", "sampled")
		for _, fields := range c.entries {
			server.Do(append([]any{"XADD", "sampled", "*"}, fields...)...)
		}
		s, err := client.Sample(t.Context(), "sampled", stream.SampleConfig{})
		must(t, err)
		want(t, c.name+": stream", s.Stream, contract.Stream{Key: "sampled", Field: c.field})
		want(t, c.name+": texts", s.Texts, c.texts)
		want(t, c.name+": other", s.Other, c.other)
		want(t, c.name+": ignored", fmt.Sprint(s.Ignored), c.ignored)
		want(t, c.name+": documents", joined(s.Documents), c.want)
		want(t, c.name+": entries", s.Entries, len(c.entries))
	}
}

// A few entries of another form do not hide that of the others.
func TestSampleOfAMixture(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	for i := range 100 {
		if i%20 == 7 {
			server.Do("XADD", "orders", "*", "heartbeat", i)
			continue
		}
		server.Do("XADD", "orders", "*", "body", fmt.Sprintf(`{"n":%d}`, i))
	}
	s, err := client.Sample(t.Context(), "orders", stream.SampleConfig{})
	must(t, err)
	want(t, "field", s.Stream.Field, "body")
	want(t, "other", s.Other, 5)
	want(t, "documents", len(s.Documents), 95)
	want(t, "ignored", fmt.Sprint(s.Ignored), "[heartbeat]")
	want(t, "length", s.Length, 100)
}

func TestSampleIsBounded(t *testing.T) {
	t.Parallel()
	onBackends(t, func(t *testing.T, client *stream.Client) {
		k := orders("shop", "payload")
		p := client.Producer(t.Context(), k, stream.ProducerConfig{})
		for i := range 3000 {
			must(t, p.Add(t.Context(), 0, fmt.Appendf(nil, `{"n":%d,"pad":"%s"}`, i, strings.Repeat("x", 1000))))
		}
		must(t, p.Close(t.Context()))
		numbers := func(cfg stream.SampleConfig) (s *stream.Sample, oldest, newest int) {
			t.Helper()
			s, err := client.Sample(t.Context(), "orders", cfg)
			must(t, err)
			previous := -1
			for _, d := range s.Documents {
				var n int
				_, err := fmt.Sscanf(string(d), `{"n":%d`, &n)
				must(t, err)
				want(t, "in order, each once", n > previous, true)
				if n == previous+1 && oldest == n {
					oldest++
				}
				previous = n
			}
			return s, oldest, previous
		}
		s, oldest, newest := numbers(stream.SampleConfig{})
		want(t, "entries", s.Entries, 2000)
		want(t, "oldest", oldest, 1000)
		want(t, "newest", newest, 2999)
		s, _, newest = numbers(stream.SampleConfig{Entries: 9000})
		want(t, "all of them", s.Entries, 3000)
		want(t, "newest", newest, 2999)
		s, oldest, newest = numbers(stream.SampleConfig{Bytes: 200 << 10})
		want(t, "few enough", s.Entries > 150 && s.Entries < 260, true)
		want(t, "some of the oldest", oldest > 70, true)
		want(t, "newest", newest, 2999)
		s, _, newest = numbers(stream.SampleConfig{Entries: 1})
		want(t, "one", s.Entries, 1)
		want(t, "the oldest", newest, 0)
	})
}

func TestSampleChangesNothing(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	for i := range 100 {
		server.Do("XADD", "orders", "*", "id", i)
	}
	server.Do("XGROUP", "CREATE", "orders", "billing", "0")
	before, groups := info(server), fmt.Sprint(server.Do("XINFO", "GROUPS", "orders"))
	_, err := client.Sample(t.Context(), "orders", stream.SampleConfig{})
	must(t, err)
	want(t, "the stream", info(server), before)
	want(t, "the groups", fmt.Sprint(server.Do("XINFO", "GROUPS", "orders")), groups)
	want(t, "keys", server.Do("DBSIZE"), any(int64(1)))
}

func TestSampleOfNothing(t *testing.T) {
	t.Parallel()
	server, client := setup(t, redistest.WithArgs("--databases", "2"))
	says := func(key, text string) {
		t.Helper()
		_, err := client.Sample(t.Context(), key, stream.SampleConfig{})
		if err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("%s: %v, want %q", key, err, text)
		}
	}
	says("orders", "no such stream, nor any other")
	server.Do("SET", "text", 1)
	says("text", "it is no stream")
	id := server.Do("XADD", "orders", "*", "id", 1)
	says("ordrs", "no such stream; there are orders")
	server.Do("XDEL", "orders", id)
	says("orders", "it has no entry now")
}

// What Sample says of a stream is what a reader with that contract gets of it.
func TestSampleAgreesWithReader(t *testing.T) {
	t.Parallel()
	server, client := setup(t)
	for i := range 50 {
		server.Do("XADD", "orders", "*", "kind", "order", "body", fmt.Sprintf(`{"n":%d}`, i))
	}
	s, err := client.Sample(t.Context(), "orders", stream.SampleConfig{})
	must(t, err)
	r := foreignShard(t, client, &contract.Contract{Name: "shop", Shards: 1, Stream: &s.Stream})
	attach(t, r, 1, event.ID{})
	payloads, _ := drain(t, r)
	want(t, "events", strings.Join(payloads, " "), joined(s.Documents))
}
