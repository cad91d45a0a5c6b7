package contract_test

import (
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/contract"
)

// ordersSchema is a contract with what is given in x-estela.
func ordersSchema(more string) string {
	return `{"type": "object", "x-estela": {"key": "id", "time": "at"` + more + `}, "required": ["id", "at"],
		"properties": {"id": {"type": "string"}, "at": {"type": "string", "format": "date-time"}}}`
}

func TestStreamOfAnother(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		annotation, field string
		fields            bool
		text              string
	}{
		{``, "", false, "the dataset's own"},
		{`, "stream": {"key": "orders"}`, "", true, `"orders"`},
		{`, "stream": {"key": "shop:{eu} é", "field": "payload"}, "shards": 1`, "payload", false, `"shop:{eu} é", field "payload"`},
		{`, "stream": {"key": "orders", "field": "event"}`, "", false, `"orders", field "event"`},
		{`, "stream": {"key": "orders", "field": "events"}`, "", false, `"orders", field "events"`},
	} {
		s := parse(t, ordersSchema(c.annotation)).Stream
		if s.EventField() != c.field || s.HasFields() != c.fields || s.String() != c.text {
			t.Errorf("%s: %q, %v, %s", c.annotation, s.EventField(), s.HasFields(), s)
		}
	}
}

func TestRefusedStreams(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ stream, pointer, reason string }{
		{`"orders"`, "", "must be an object such as"},
		{`{}`, "", "key is missing"},
		{`{"field": "payload"}`, "", "key is missing"},
		{`{"key": ""}`, "/key", "1 to 512 printable bytes"},
		{`{"key": 1}`, "/key", "1 to 512 printable bytes"},
		{`{"key": "a\nb"}`, "/key", "printable"},
		{`{"key": "` + strings.Repeat("x", 513) + `"}`, "/key", "1 to 512"},
		{`{"key": "orders", "field": ""}`, "/field", "1 to 512"},
		{`{"key": "orders", "group": "mine"}`, "/group", "unknown: there are key and field"},
	} {
		refused(t, ordersSchema(`, "stream": `+c.stream), "/x-estela/stream"+c.pointer, c.reason)
	}
	refused(t, ordersSchema(`, "shards": 2, "stream": {"key": "orders"}`), "/x-estela/shards", `"orders" of x-estela.stream is one stream`)
}

func TestStreamIsFixed(t *testing.T) {
	t.Parallel()
	all := []string{``, `{"key": "orders"}`, `{"key": "orders", "field": "payload"}`, `{"key": "sales", "field": "payload"}`}
	contracts := make([]*contract.Contract, len(all))
	for i, s := range all {
		if s != "" {
			s = `, "stream": ` + s
		}
		contracts[i] = parse(t, ordersSchema(s))
	}
	for i, now := range contracts {
		for j, was := range contracts {
			changes := now.Breaks(was)
			if i == j && len(changes) > 0 {
				t.Errorf("%q to itself: %v", all[i], changes)
			}
			if i != j && (len(changes) != 1 || changes[0].Pointer != "/x-estela/stream" || !changes[0].Fixed) {
				t.Errorf("%q to %q: %v", all[j], all[i], changes)
			}
		}
	}
}
