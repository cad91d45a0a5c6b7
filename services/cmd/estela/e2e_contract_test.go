package main_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// TestE2EDailySeries publishes a file as a spreadsheet has it, a row a shop and day: the key is of
// two properties, the time a date, the columns have other names, and there is no mapping.
func TestE2EDailySeries(t *testing.T) {
	t.Parallel()
	data, dir := t.TempDir(), t.TempDir()
	writeFile(t, filepath.Join(data, "sales", "contract.json"), `{"type": "object", "x-estela": {"key": ["shop", "sold_on"], "time": "sold_on"},
		"additionalProperties": false, "required": ["shop", "sold_on", "amount"], "properties": {
		"shop": {"type": "string", "x-estela": {"aliases": ["Shop Name"]}},
		"sold_on": {"type": "string", "format": "date", "x-estela": {"aliases": ["Date"]}},
		"amount": {"type": "number", "x-estela": {"aliases": ["Amount (€)"]}}}}`)
	s := up(t, dir, "--data", data, "--watch")
	beside := []string{"--data", data, "--data-dir", dir}
	publish := append([]string{"publish", "sales", "--wait-stored"}, beside...)
	const sheet = "Shop Name,Date,Amount (€)\nNorth,2026-02-01,1.5\nSouth,2026-02-01,2\nNorth,2026-02-02,3\n"
	must(t, sheet, publish...)
	must(t, `{"Shop Name":"South","Date":"2026-02-02","amount":4}`, publish...)
	s.redis("XADD", "estela:{sales:0}", "*", "event", `{"shop":"East","Date":"2026-02-01","Amount (€)":5}`)
	s.awaitEvents("sales", "stored", 5)
	must(t, sheet, publish...)
	s.awaitEvents("sales", "duplicate", 3)
	if code, _, errs := estela(t, `{"shop":"East","Shop Name":"West","sold_on":"2026-02-01","amount":6}`, publish...); code != 1 ||
		!strings.Contains(errs, `property "shop"`) {
		t.Errorf("two names of one property: exit %d, %s", code, errs)
	}

	must(t, "", append([]string{"endpoint", "new", "latest"}, "--data", data)...)
	eventually(t, "the new endpoint", func() error {
		_, err := get("http://" + s.api + "/v1/sales/latest")
		return err
	})
	if got := fmt.Sprint(s.read("/v1/sales/latest?since=2026-02-02")); got !=
		"[map[amount:4 shop:South sold_on:2026-02-02] map[amount:3 shop:North sold_on:2026-02-02]]" {
		t.Error(got)
	}
	s.traces(map[string][]string{`["North","2026-02-01"]`: {"stored", "duplicate  dropped"}}, beside)
	if out := must(t, sheet, append([]string{"backfill", "sales"}, beside...)...); !strings.HasPrefix(out, "0 stored, 3 duplicates") {
		t.Error(out)
	}
}

// TestE2ENoKey: equal events are events, and a mapping may be for JSON.
func TestE2ENoKey(t *testing.T) {
	t.Parallel()
	data, dir := t.TempDir(), t.TempDir()
	writeFile(t, filepath.Join(data, "clicks", "contract.json"), `{"type": "object", "required": ["page"], "properties": {"page": {"type": "string"}}}`)
	writeFile(t, filepath.Join(data, "clicks", "mapping.sql"), "-- Pages of the web log.\n-- format: ndjson\nSELECT _row, lower(url) AS page FROM source")
	writeFile(t, filepath.Join(data, "clicks", "endpoints", "pages.sql"), "-- Clicks a page.\nSELECT page, count(*) AS n FROM clicks GROUP BY ALL ORDER BY page")
	s := up(t, dir, "--data", data)
	publish := []string{"publish", "clicks", "--wait-stored", "--data", data, "--data-dir", dir}
	must(t, `{"url":"/A"}`+"\n"+`{"url":"/a"}`+"\n"+`{"url":"/b"}`, publish...)
	must(t, "page\n/A\n", publish...) // a CSV is not what the mapping is for
	s.awaitEvents("clicks", "stored", 4)
	if got := fmt.Sprint(s.read("/v1/clicks/pages")); got != "[map[n:1 page:/A] map[n:2 page:/a] map[n:1 page:/b]]" {
		t.Error(got)
	}
	// What is read again is stored once.
	if out := must(t, "", "replay", "clicks", "--data", data, "--data-dir", dir); !strings.Contains(out, " 0 missing rows stored") {
		t.Error(out)
	}
	if got := fmt.Sprint(s.read("/v1/clicks/pages")); !strings.Contains(got, "n:2") {
		t.Error(got)
	}
	writeFile(t, filepath.Join(data, "clicks", "mapping.sql"), "-- format: jsn\nSELECT 1")
	if code, _, errs := estela(t, "", "contract", "check", "--data", data); code != 2 || !strings.Contains(errs, "mapping.sql") || !strings.Contains(errs, `"jsn"`) {
		t.Errorf("an unknown format: exit %d, %s", code, errs)
	}
}
