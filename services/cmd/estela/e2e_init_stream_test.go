package main_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/redistest"
)

// TestE2EInitStream makes a dataset of a stream that is there, and serves all of it without a line
// written by hand, nor a change to the stream.
func TestE2EInitStream(t *testing.T) {
	t.Parallel()
	const n = 3000
	at := func(i int) string { return fmt.Sprintf("2026-%02d-%02dT%02d:00:00Z", 1+i%12, 1+i%28, i%24) }
	for name, c := range map[string]struct {
		add      func(i int) []any
		contract []string
		says     []string
	}{
		"fields": {
			func(i int) []any {
				fields := []any{"orderId", fmt.Sprintf("ORD-%05d", i), "placedAt", at(i), "amount", fmt.Sprintf("%d.%02d", i%90, i%100), "country", pick(i, "CL", "PE"), "paid", pick(i, "True", "False")}
				if i%3 == 0 {
					fields = append(fields, "coupon", i)
				}
				return fields
			},
			[]string{`"key": "order_id", "time": "placed_at", "stream": {"key": "shop:orders"}`, `"aliases": ["orderId"]`, `"amount": {`, `"type": "integer"`},
			[]string{"the fields of an entry are the properties; read 2000 of 3000 entries", "could be a boolean"},
		},
		"payload": {
			func(i int) []any {
				mixed := pick(i, "1", `"one"`)
				return []any{"type", "placed", "payload", fmt.Sprintf(`{"orderId": %d, "placedAt": %q, "amount": %d.5, "country": "CL", "odd": %s}`, 100+i, at(i), i%90, mixed)}
			},
			[]string{`"key": "order_id", "time": "placed_at", "stream": {"key": "shop:orders", "field": "payload"}`, `"type": "integer"`},
			[]string{`the field "payload" of an entry has the event`, "which are not stored: type", "left out, for their values are of several types: odd"},
		},
		"no key": {
			func(i int) []any {
				return []any{"country", pick(i, "CL", "PE", "BR"), "level", pick(i, "info", "warn")}
			},
			[]string{`"x-estela": {"stream": {"key": "shop:orders"}}`},
			[]string{"key   none", "stored twice"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server, data := redistest.Start(t), t.TempDir()
			for i := range n {
				server.Do(append([]any{"XADD", "shop:orders", "*"}, c.add(i)...)...)
			}
			before := fmt.Sprint(server.Do("XINFO", "STREAM", "shop:orders").([]any)[:10])
			out := must(t, "", "init", "--redis", server.URL(), "--stream", "shop:orders", "--data", data)
			for _, text := range append(c.says, "estela up --redis "+server.URL()) {
				if !strings.Contains(out, text) {
					t.Errorf("init does not say %q:\n%s", text, out)
				}
			}
			text, err := os.ReadFile(filepath.Join(data, "shop_orders", "contract.json"))
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range c.contract {
				if !strings.Contains(string(text), want) {
					t.Errorf("the contract has not %s:\n%s", want, text)
				}
			}
			must(t, "", "endpoint", "test", "--data", data)
			s := up(t, t.TempDir(), "--data", data, "--redis", server.URL())
			s.awaitEvents("shop_orders", "stored", n)
			total := 0
			for _, row := range s.read("/v1/shop_orders/summary") {
				total += int(row["rows"].(float64))
			}
			if total != n {
				t.Errorf("%d rows are served, want %d", total, n)
			}
			if after := fmt.Sprint(server.Do("XINFO", "STREAM", "shop:orders").([]any)[:10]); after != before {
				t.Errorf("the stream was %s and is %s", before, after)
			}
			if got := s.metric(`estela_events_total{dataset="shop_orders",outcome="rejected"}`); got != "0" {
				t.Errorf("%s events were rejected", got)
			}
		})
	}
}

func TestE2EInitStreamRefused(t *testing.T) {
	t.Parallel()
	server, data := redistest.Start(t), t.TempDir()
	server.Do("XADD", "orders", "*", "raw", "\xff")
	server.Do("SET", "text", "1")
	for _, c := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"--stream", "ordrs"}, 1, "there is no such stream; there are orders"},
		{[]string{"--stream", "text"}, 1, "it is no stream"},
		{[]string{"--stream", "orders"}, 1, "none of the 1 entries that were read has an event that could be stored"},
		{[]string{"--stream", "orders", "orders.csv"}, 2, "give one of them"},
		{[]string{"--stream", "orders", "--format", "csv"}, 2, "leave them out"},
		{nil, 2, "name a file, - for standard input, or a stream"},
	} {
		code, out, errs := estela(t, "", append([]string{"init", "--redis", server.URL(), "--data", data}, c.args...)...)
		if code != c.code || !strings.Contains(errs, c.says) {
			t.Errorf("%v: exit %d, want %d and %q\n%s%s", c.args, code, c.code, c.says, out, errs)
		}
	}
	if left, err := os.ReadDir(data); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v", errors.Join(err, fmt.Errorf("%v", left)))
	}
}
