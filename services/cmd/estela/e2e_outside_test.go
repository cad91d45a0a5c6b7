package main_test

import (
	"cmp"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

const sampleFile = "../../../data/flights/sample.parquet"

// tally sums rows up without regard to their order: a row that changed, is missing or came twice makes
// another tally.
type tally struct {
	rows int
	sum  uint64
}

func (t *tally) add(row string) {
	hash := sha256.Sum256([]byte(row))
	t.rows++
	var n uint64
	for _, b := range hash[:8] {
		n = n<<8 | uint64(b)
	}
	t.sum += n
}

func tallyOf(rows ...string) (t tally) {
	for _, row := range rows {
		t.add(row)
	}
	return t
}

func TestTallyNotices(t *testing.T) {
	t.Parallel()
	want := tallyOf("a", "b", "c")
	if got := tallyOf("c", "a", "b"); got != want {
		t.Errorf("another order: %v, want %v", got, want)
	}
	for _, rows := range [][]string{{"a", "b"}, {"a", "b", "c", "c"}, {"a", "b", "d"}, {"a", "b", "b"}} {
		if tallyOf(rows...) == want {
			t.Errorf("%q is taken for a, b, c", rows)
		}
	}
}

// sampleTally is what the file has, by DuckDB and without the pipeline.
func sampleTally(t *testing.T) (want tally) {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), `SELECT concat_ws('|', strftime(date::TIMESTAMP, '%Y-%m-%dT%H:%M'),
		origin, destination, delay::INTEGER, distance::INTEGER) FROM '`+sampleFile+`'`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var row string
		if err := rows.Scan(&row); err != nil {
			t.Fatal(err)
		}
		want.add(row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return want
}

// servedTally is what the API gives to whoever reads every page.
func servedTally(t *testing.T, api string) (got tally) {
	t.Helper()
	ids := map[string]bool{}
	for next := ""; ; {
		body, err := get(api + "/v1/flights/events?limit=10000" + next)
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			Data []struct {
				EventID       string      `json:"event_id"`
				DepartedLocal string      `json:"departed_local"`
				Origin        string      `json:"origin"`
				Destination   string      `json:"destination"`
				Delay         json.Number `json:"arrival_delay_minutes"`
				Distance      json.Number `json:"distance_miles"`
			} `json:"data"`
			Meta struct {
				Next *string `json:"next"`
			} `json:"meta"`
		}
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			t.Fatalf("read a page: %v: %.200s", err, body)
		}
		for _, e := range page.Data {
			if ids[e.EventID] {
				t.Errorf("the event %s is there twice", e.EventID)
			}
			ids[e.EventID] = true
			got.add(strings.Join([]string{e.DepartedLocal[:len("2001-01-01T06:55")], e.Origin, e.Destination, e.Delay.String(), e.Distance.String()}, "|"))
		}
		if page.Meta.Next == nil {
			return got
		}
		next = "&cursor=" + *page.Meta.Next
	}
}

// TestE2EOutside is the challenge's integration test: what was published is what a GET shows, every row
// of it. ESTELA_E2E_URL and ESTELA_E2E_REDIS name a pipeline that runs already, such as the built image;
// else it starts one of its own.
func TestE2EOutside(t *testing.T) {
	t.Parallel()
	api, redis := os.Getenv("ESTELA_E2E_URL"), os.Getenv("ESTELA_E2E_REDIS")
	if (api == "") != (redis == "") {
		t.Fatal("ESTELA_E2E_URL and ESTELA_E2E_REDIS belong together")
	}
	own := api == ""
	if own {
		s := up(t, t.TempDir(), "--no-sample")
		api, redis = "http://"+s.api, s.redisURL()
	}
	want := sampleTally(t)
	must(t, "", "publish", "flights", sampleFile, "--format", "parquet", "--redis", redis)
	eventually(t, "every flight", func() error {
		body, err := get(api + "/v1/flights/punctuality?by=hour&limit=1000")
		if err != nil {
			return err
		}
		var a answer
		if err := json.Unmarshal([]byte(body), &a); err != nil {
			return err
		}
		n := 0
		for _, row := range a.Data {
			n += int(row["flights"].(float64))
		}
		if n < want.rows {
			return fmt.Errorf("%d of %d", n, want.rows)
		}
		return nil
	})
	if got := servedTally(t, api); got != want {
		t.Errorf("served %+v, published %+v", got, want)
	}
	out := must(t, "", "smoke", "--url", api, "--redis", redis)
	if strings.Count(out, "ok  ") != 4 || !strings.Contains(out, "a canary was there after") {
		t.Errorf("smoke says\n%s", out)
	}
	if own { // without keys, on this machine alone
		if out := must(t, "", "smoke", "--url", api, "--post-url", api+"/"); strings.Count(out, "ok  ") != 4 || !strings.Contains(out, "a canary was there after") {
			t.Errorf("smoke by POST says\n%s", out)
		}
	}
	// The canary that was just stored is fresh enough for a look without Redis.
	if out := must(t, "", "smoke", "--url", api); !strings.Contains(out, "the newest canary is") {
		t.Errorf("smoke without Redis says\n%s", out)
	}
	code, out, errs := estela(t, "", "smoke", "--url", api, "--canary-age", "1ns")
	if code != 1 || !strings.Contains(cmp.Or(out, errs), "more than 1ns") {
		t.Errorf("smoke with an old canary: exit %d\n%s%s", code, out, errs)
	}
}
