package api_test

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/api"
)

func TestFlightsEndpointsFitTheirTables(t *testing.T) {
	t.Parallel()
	if err := setupFlights(t).api.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// The figures of the README's request, against a plain query over the file.
func TestPunctualityIsThatOfTheFile(t *testing.T) {
	t.Parallel()
	i := setupFlights(t)
	for by, column := range map[string]string{
		"route":  "origin || '-' || destination",
		"hour":   "strftime(date, '%H:00')",
		"day":    "strftime(date, '%Y-%m-%d')",
		"origin": "origin",
	} {
		want := query(t, i.db, "SELECT "+column+", count(*), count(*) FILTER (delay < 15) FROM '"+flightsFolder+"sample.parquet' GROUP BY 1")
		got := map[string]string{}
		rows := i.all(t, "/v1/flights/punctuality", url.Values{"by": {by}, "limit": {"1000"}}, func(int) {})
		for n, row := range rows {
			got[row["name"].(string)] = fmt.Sprint(row["flights"], " ", row["on_time"])
			if fmt.Sprint(row["rank"]) != fmt.Sprint(n+1) {
				t.Errorf("by %s: row %d has the rank %v", by, n+1, row["rank"])
			}
		}
		if len(got) < 7 || len(rows) != len(got) || !maps.Equal(got, want) {
			t.Errorf("by %s: %d rows differ from the file's %d groups", by, len(rows), len(want))
		}
	}
}

// query returns the first column -> the others as text.
func query(t *testing.T, db *sql.DB, text string) map[string]string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	all := map[string]string{}
	for rows.Next() {
		var key string
		var a, b int
		if err := rows.Scan(&key, &a, &b); err != nil {
			t.Fatal(err)
		}
		all[key] = fmt.Sprint(a, " ", b)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

func scalar[T any](t *testing.T, db *sql.DB, text string) (value T) {
	t.Helper()
	if err := db.QueryRowContext(t.Context(), text).Scan(&value); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return value
}

func TestDepartures(t *testing.T) {
	t.Parallel()
	i := setupFlights(t)
	rows := i.all(t, "/v1/flights/departures", url.Values{
		"airport": {"ATL"}, "since": {"2001-01-01T23:00:00-05:00"}, "until": {"2001-01-03T04:00:00Z"}, "late": {"false"}, "limit": {"97"},
	}, func(int) {})
	want := scalar[int](t, i.db, "SELECT count(*) FROM '"+flightsFolder+
		"sample.parquet' WHERE origin = 'ATL' AND delay < 15 AND date >= '2001-01-01 23:00' AND date < '2001-01-02 23:00'")
	if len(rows) != want || want == 0 {
		t.Errorf("%d departures, the file has %d", len(rows), want)
	}
	newestFirst := func(a, b map[string]any) int {
		return strings.Compare(b["occurred_at"].(string)+b["flight_id"].(string), a["occurred_at"].(string)+a["flight_id"].(string))
	}
	if !slices.IsSortedFunc(rows, newestFirst) {
		t.Error("not the newest first")
	}
}

func TestDelaysAddUp(t *testing.T) {
	t.Parallel()
	i := setupFlights(t)
	for _, width := range []string{"5", "15", "60"} {
		rows := i.rows(t, "/v1/flights/delays?origin=ORD&width="+width).Data
		total := 0
		for n, row := range rows {
			count, err := row["flights"].(json.Number).Int64()
			if err != nil {
				t.Fatal(err)
			}
			total += int(count)
			if n > 0 && rows[n-1]["to_minutes"] != row["from_minutes"] && row["from_minutes"] == nil {
				t.Errorf("width %s: bucket %d begins nowhere", width, n)
			}
		}
		if want := scalar[int](t, i.db, "SELECT count(*) FROM source WHERE origin = 'ORD'"); total != want {
			t.Errorf("width %s: %d flights in the buckets, the file has %d", width, total, want)
		}
		if last := rows[len(rows)-1]; fmt.Sprint(last["cumulative_share"]) != "1" {
			t.Errorf("width %s: the shares add up to %v", width, last["cumulative_share"])
		}
	}
	late := scalar[int](t, i.db, "SELECT count(*) FROM source WHERE delay >= 15 AND delay < 30")
	if !strings.Contains(i.rows(t, "/v1/flights/delays").text, fmt.Sprintf(`{"from_minutes":15,"to_minutes":30,"flights":%d,`, late)) {
		t.Errorf("no bucket of %d flights from 15 to 30 minutes", late)
	}
}

func TestRoutesAndAirports(t *testing.T) {
	t.Parallel()
	i := setupFlights(t)
	route := i.rows(t, "/v1/flights/routes?airport=LAX&limit=1").Data[0]
	want := scalar[int](t, i.db, fmt.Sprintf("SELECT count(*) FROM source WHERE origin || '-' || destination = '%s'", route["route"]))
	if fmt.Sprint(route["flights"]) != fmt.Sprint(want) || route["origin_city"] == nil {
		t.Errorf("busiest route of LAX: %v, the file has %d flights", route, want)
	}
	airports := i.all(t, "/v1/flights/airports", url.Values{}, func(int) {})
	if want := scalar[int](t, i.db, "SELECT count(DISTINCT a) FROM (SELECT origin a FROM source UNION SELECT destination FROM source)"); len(airports) != want {
		t.Errorf("%d airports, the file has %d", len(airports), want)
	}
}

// The events come as the contract has them, property by property.
func TestEventsHaveTheContractsProperties(t *testing.T) {
	t.Parallel()
	i := setupFlights(t)
	var contract struct {
		Required   []string
		Properties map[string]struct {
			Type, Pattern, Const string
		}
	}
	if err := json.Unmarshal([]byte(dataFile("contract.json")), &contract); err != nil {
		t.Fatal(err)
	}
	rows := i.rows(t, "/v1/flights/events?limit=1000").Data
	for _, row := range rows {
		if !slices.Equal(slices.Sorted(maps.Keys(row)), slices.Sorted(slices.Values(contract.Required))) {
			t.Fatalf("an event has the properties %v", slices.Sorted(maps.Keys(row)))
		}
		for name, p := range contract.Properties {
			text := fmt.Sprint(row[name])
			if p.Pattern != "" && !regexp.MustCompile(p.Pattern).MatchString(text) || p.Const != "" && text != p.Const {
				t.Fatalf("%s is %q", name, text)
			}
		}
		if _, err := time.Parse(time.RFC3339, row["occurred_at"].(string)); err != nil {
			t.Fatal(err)
		}
	}
	one := rows[0]["event_id"].(string)
	if found := i.rows(t, "/v1/flights/events?event_id="+url.QueryEscape(one)).Data; len(found) != 1 || found[0]["event_id"] != one {
		t.Errorf("event %s: found %v", one, found)
	}
}

// mapped runs mapping.sql over a source and returns its rows by _row.
func mapped(t *testing.T, source string) map[int64]map[string]any {
	t.Helper()
	db, err := openMapping(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("CREATE TABLE source AS " + source); err != nil {
		t.Fatal(err)
	}
	rows, err := db.QueryContext(t.Context(), dataFile("mapping.sql"))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	all := map[int64]map[string]any{}
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		event := map[string]any{}
		for i, name := range columns {
			event[name] = values[i]
		}
		all[event["_row"].(int64)] = event
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// A cut between days gives the events that the whole file gives, whatever order
// the rows have, and no two events share an ID.
func TestMappingGivesTheSameIDsForACut(t *testing.T) {
	t.Parallel()
	whole := mapped(t, sampleSource)
	ids := map[any]bool{}
	for _, event := range whole {
		ids[event["event_id"]] = true
	}
	if len(ids) != len(whole) || len(whole) < 100_000 {
		t.Fatalf("%d rows have %d IDs", len(whole), len(ids))
	}
	cut := mapped(t, "SELECT * FROM ("+sampleSource+") WHERE date >= '2001-01-03' AND date < '2001-01-05' ORDER BY hash(_row)")
	repeated := 0
	for row, event := range cut {
		if !maps.Equal(event, whole[row]) {
			t.Fatalf("row %d is\n%v in the cut and\n%v in the whole", row, event, whole[row])
		}
		if !strings.HasSuffix(event["flight_id"].(string), "-1") {
			repeated++
		}
	}
	if len(cut) < 30_000 || repeated < 50 {
		t.Errorf("the cut has %d rows, of which %d repeat another's minute and route: nothing is shown", len(cut), repeated)
	}
}

// Local time becomes UTC by the rules that the origin had on that day.
func TestMappingKnowsTheZones(t *testing.T) {
	t.Parallel()
	for local, want := range map[string]string{
		"IND 2001-06-01 12:00": "2001-06-01T17:00:00Z", // Indiana had no summer time then
		"PHX 2001-06-01 12:00": "2001-06-01T19:00:00Z",
		"LAX 2001-06-01 12:00": "2001-06-01T19:00:00Z",
		"LAX 2001-01-01 12:00": "2001-01-01T20:00:00Z",
		"HNL 2001-01-01 12:00": "2001-01-01T22:00:00Z",
		"LAX 2001-04-01 02:10": "2001-04-01T10:10:00Z", // skipped: with the offset from before
		"LAX 2001-10-28 01:10": "2001-10-28T09:10:00Z", // twice: the second one
	} {
		airport, at, _ := strings.Cut(local, " ")
		event := mapped(t, fmt.Sprintf(`SELECT 1::BIGINT AS _row, TIMESTAMP '%s' AS date, 5 AS delay, 100 AS distance, '%s' AS origin, 'ATL' AS destination`, at, airport))[1]
		if event["occurred_at"] != want || event["departed_local"] != strings.Replace(at, " ", "T", 1)+":00" {
			t.Errorf("%s is %v, want %s", local, event, want)
		}
	}
}

// What can't become an event comes out with NULL where the fault is, so that the
// contract refuses it: it is never dropped, rounded or made up.
func TestMappingReportsBadRows(t *testing.T) {
	t.Parallel()
	for bad, fault := range map[string]string{
		"'2001-01-01 12:00', '5', '100', 'XXX', 'ATL'":   "origin_zone occurred_at",
		"'2001-01-01 12:00', '5', '100', NULL, 'ATL'":    "origin origin_zone event_id",
		"'soon', '5', '100', 'LAX', 'ATL'":               "departed_local occurred_at event_id",
		"'2001-01-01 12:00', 'x', '100', 'LAX', 'ATL'":   "arrival_delay_minutes",
		"'2001-01-01 12:00', '5.5', '100', 'LAX', 'ATL'": "arrival_delay_minutes",
		"'2001-01-01 12:00', '5', '1e99', 'LAX', 'ATL'":  "distance_miles",
		"'2001-01-01 12:00', NULL, '100', 'LAX', NULL":   "arrival_delay_minutes destination event_id",
	} {
		events := mapped(t, "SELECT column0::BIGINT AS _row, column1 AS date, column2 AS delay, column3 AS distance, column4 AS origin, column5 AS destination "+
			"FROM (VALUES (1, '2001-01-01 12:00', '5', '100', 'LAX', 'ATL'), (2, "+bad+"))  AS v(column0, column1, column2, column3, column4, column5)")
		if len(events) != 2 || events[1]["occurred_at"] != "2001-01-01T20:00:00Z" {
			t.Fatalf("%s: %d rows came out: %v", bad, len(events), events)
		}
		for _, name := range strings.Fields(fault) {
			if value, ok := events[2][name]; !ok || value != nil {
				t.Errorf("%s: %s is %v, want NULL", bad, name, value)
			}
		}
	}
}

// A row that passes the contract but holds no real time must not break the views
// for everybody.
func TestViewsBearOddValues(t *testing.T) {
	t.Parallel()
	i := setup(t, `CREATE TABLE flights AS SELECT '2001-99-99T99:99:99' AS departed_local, 'LAX' AS origin, 'ATL' AS destination,
		20::SMALLINT AS arrival_delay_minutes, '20019999T9999-LAX-ATL-1' AS flight_id;`+dataFile("views.sql"), nil)
	if late := scalar[bool](t, i.db, "SELECT NOT on_time AND local_date IS NULL FROM flights_on_time"); !late {
		t.Error("20 minutes are on time")
	}
}

var _ api.Reader = reader{}
