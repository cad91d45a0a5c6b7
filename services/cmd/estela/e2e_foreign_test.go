package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/redistest"
)

// orders is the contract of somebody's stream; its annotation is x-estela.stream.
func orders(stream string) string {
	return fmt.Sprintf(`{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "x-estela": {"key": "order_id", "time": "placed_at", "stream": %s},
  "required": ["order_id", "placed_at", "amount"],
  "properties": {
    "order_id": {"type": "integer"},
    "placed_at": {"type": "string", "format": "date-time"},
    "amount": {"type": "number", "minimum": 0},
    "gift": {"type": "boolean"},
    "note": {"type": "string", "maxLength": 20}
  }
}`, stream)
}

// shop writes the dataset of that contract, with an endpoint and a sample.
func shop(t *testing.T, stream string) (data string) {
	t.Helper()
	data = things(t, "shop", orders(stream))
	if err := os.Mkdir(filepath.Join(data, "shop", "endpoints"), 0o700); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(data, "shop", "endpoints", "orders.sql"), "-- Orders.\n-- order: order_id\nSELECT order_id, placed_at, amount, gift, note FROM shop\n")
	writeFile(t, filepath.Join(data, "shop", "sample.ndjson"), `{"order_id":-1,"placed_at":"2026-01-01T00:00:00Z","amount":1}`+"\n")
	return data
}

// owned is what the owner of the stream sees of it: all but the groups.
func owned(server *redistest.Server) string {
	var b strings.Builder
	fields, _ := server.Do("XINFO", "STREAM", "orders").([]any)
	for i := 0; i+1 < len(fields); i += 2 {
		if fields[i] != "groups" {
			fmt.Fprintln(&b, fields[i], fields[i+1])
		}
	}
	return b.String()
}

// TestE2EForeignFields stores the stream of an application that knows nothing of Estela: what was there
// before and what comes while the process is killed, each once, and the stream stays as it is.
func TestE2EForeignFields(t *testing.T) {
	t.Parallel()
	server, dir, data := redistest.Start(t, redistest.WithAOF()), t.TempDir(), shop(t, `{"key": "orders"}`)
	on := func(command ...string) []string {
		return append(command, "--data", data, "--data-dir", dir, "--redis", server.URL())
	}
	n := 0
	add := func(orders int) {
		for range orders {
			n++
			server.Do("XADD", "orders", "*", "order_id", n, "placed_at", "2026-01-01T00:00:00Z", "amount", "9.5", "gift", "", "note", "", "shop_version", "7")
		}
	}
	add(500)
	wrong := []any{"XADD", "orders", "*", "order_id", "1e9", "placed_at", "2026-01-01T00:00:00Z", "amount", "9,5"}
	server.Do(wrong...)
	server.Do("XADD", "orders", "*", "order_id", "7", "order_id", "8", "placed_at", "2026-01-01T00:00:00Z", "amount", "1")
	server.Do("XADD", "orders", "*", "order_id", "9000000", "placed_at", "2026-01-01T00:00:00Z", "amount", "3", "note", "a note of some length")
	server.Do("XGROUP", "CREATE", "orders", "billing", "$")
	s := up(t, dir, "--data", data, "--redis", server.URL())
	s.awaitEvents("shop", "stored", 500)
	s.awaitEvents("shop", "rejected", 3)
	for range 3 {
		add(200)
		if err := s.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		s.wait()
		add(50)
		s = up(t, dir, "--data", data, "--redis", server.URL())
		add(50)
	}
	server.Restart()
	add(10)
	eventually(t, "all of it, once", func() error {
		if rows := s.read("/v1/shop/orders?limit=1000"); len(rows) != n {
			return fmt.Errorf("%d rows of %d", len(rows), n)
		}
		return nil
	})
	if got := fmt.Sprint(s.read("/v1/shop/orders?limit=1000")[4]); got != "map[amount:9.5 gift:<nil> note: order_id:5 placed_at:2026-01-01T00:00:00Z]" {
		t.Error(got)
	}
	before := owned(server)

	list := must(t, "", on("rejects", "list", "shop")...)
	if !strings.Contains(list, "/amount") || !strings.Contains(list, "more than once") || strings.Count(list, "\n") != 3 {
		t.Errorf("rejects:\n%s", list)
	}
	for line := range strings.Lines(list) {
		if strings.Contains(line, "/amount") {
			raw := must(t, "", on("rejects", "show", "shop", strings.Fields(line)[1], "--raw")...)
			if raw != `{"order_id":"1e9","placed_at":"2026-01-01T00:00:00Z","amount":"9,5"}` {
				t.Errorf("rejects show --raw: %s", raw)
			}
		}
	}
	s.traces(map[string][]string{"5": {"stored", "in the stream still"}, "1e9": {"rejected", "/amount"}}, on())
	if out := must(t, "", on("replay", "shop")...); !strings.Contains(out, " 0 missing rows stored") {
		t.Error(out)
	}
	refused(t, `{"order_id":1,"placed_at":"2026-01-01T00:00:00Z","amount":1}`, on("publish", "shop"), "a field for each property", "estela backfill shop")
	if out := must(t, `{"order_id":0,"placed_at":"2026-01-01T00:00:00Z","amount":1}`, on("backfill", "shop")...); !strings.HasPrefix(out, "1 stored") {
		t.Error(out)
	}
	if code, out, _ := estela(t, "", on("doctor")...); code != 0 || strings.Contains(out, "FAIL") {
		t.Errorf("doctor: exit %d\n%s", code, out)
	}
	if code := s.interrupt(); code != 0 {
		t.Fatalf("Ctrl-C: exit %d", code)
	}

	// A contract that allows more: the rejects are read again, as fields.
	writeFile(t, filepath.Join(data, "shop", "contract.json"), strings.Replace(orders(`{"key": "orders"}`), `"maxLength": 20`, `"maxLength": 50`, 1))
	s = up(t, dir, "--data", data, "--redis", server.URL())
	if out := must(t, "", on("rejects", "replay", "shop")...); !strings.HasPrefix(out, "1 stored, 0 duplicates dropped, 2 still") {
		t.Error(out)
	}
	if got := owned(server); got != before {
		t.Errorf("the stream was\n%s\nand is\n%s", before, got)
	}
	if !strings.Contains(s.err.String(), "sample of shop: not published") {
		t.Errorf("nothing is said of the sample:\n%s", &s.err)
	}
}

// TestE2EForeignField reads a stream whose entries have the event in a field, and writes to it as its
// own producers do.
func TestE2EForeignField(t *testing.T) {
	t.Parallel()
	server, dir := redistest.Start(t), t.TempDir()
	data := shop(t, `{"key": "orders", "field": "payload"}`)
	on := func(data string, command ...string) []string {
		return append(command, "--data", data, "--data-dir", dir, "--redis", server.URL())
	}
	order := func(id int) string {
		return fmt.Sprintf(`{"order_id":%d,"placed_at":"2026-01-01T00:00:00Z","amount":1}`, id)
	}
	if code, out, _ := estela(t, "", on(data, "doctor")...); !strings.Contains(out, "warn  stream orders") || !strings.Contains(out, "is not there") {
		t.Errorf("doctor: exit %d\n%s", code, out)
	}
	server.Do("XADD", "orders", "*", "type", "order.placed", "payload", order(1))
	server.Do("XADD", "orders", "*", "type", "order.placed", "body", order(2))
	s := startWorker(t, dir, data, server.URL())
	s.awaitEvents("shop", "stored", 1)
	s.awaitEvents("shop", "rejected", 1)
	must(t, order(3)+"\n"+order(4), on(data, "publish", "shop", "--wait-stored")...)
	s.awaitEvents("shop", "stored", 3)
	if code, _, errs := estela(t, order(5), on(data, "publish", "shop", "--batch", "10")...); code != 2 || !strings.Contains(errs, `in its field "payload"`) {
		t.Errorf("publish --batch: exit %d\n%s", code, errs)
	}
	newest := server.Do("XREVRANGE", "orders", "+", "-", "COUNT", 1).([]any)[0].([]any)[1]
	if fmt.Sprint(newest) != fmt.Sprint([]any{"payload", order(4)}) {
		t.Errorf("published %v", newest)
	}
	if out := must(t, "", on(data, "rejects", "list", "shop")...); !strings.Contains(out, `must have the field "payload"`) {
		t.Errorf("rejects:\n%s", out)
	}
	if code := s.interrupt(); code != 0 {
		t.Fatalf("Ctrl-C: exit %d", code)
	}
	for _, other := range []string{`{"key": "orders"}`, `{"key": "sales", "field": "payload"}`} {
		is := shop(t, other)
		refused(t, "", on(is, "worker", "--ops-listen", freeAddr(t)), "/x-estela/stream", "the stored positions are of that one")
		refused(t, "", on(is, "contract", "accept", "shop"), "/x-estela/stream")
	}

	// Another warehouse goes on with what the stream keeps, all of it.
	dir = t.TempDir()
	refused(t, "", on(data, "worker", "--ops-listen", freeAddr(t)), "estela warehouse claim shop")
	if out := must(t, "", on(data, "warehouse", "claim", "shop")...); !strings.Contains(out, "4 entries") || !strings.Contains(out, "nothing was trimmed") {
		t.Errorf("claim:\n%s", out)
	}
	s = startWorker(t, dir, data, server.URL())
	s.awaitEvents("shop", "stored", 3)

	// Renamed, it leaves a group behind, which has a name.
	s.interrupt()
	if out := must(t, "", on(things(t, "others", readings), "doctor")...); !strings.Contains(out, "XGROUP DESTROY") || strings.Contains(out, "DEL its") || strings.Contains(out, "DEL 'orders'") {
		t.Errorf("doctor:\n%s", out)
	}
}
