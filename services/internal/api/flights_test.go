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

// The README's request has the figures of a plain query over the file.
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

// query returns the first column -> the others, as text.
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
	first := airports[0]
	if want := scalar[int](t, i.db, fmt.Sprintf("SELECT count(*) FROM source WHERE '%s' IN (origin, destination)", first["airport"])); fmt.Sprint(first["movements"]) != fmt.Sprint(want) {
		t.Errorf("busiest airport: %v, the file has %d movements", first, want)
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

// mapped makes the table of that name from mapping.sql over a source.
func mapped(t *testing.T, db *sql.DB, table, source string) {
	t.Helper()
	for _, statement := range []string{
		"CREATE OR REPLACE VIEW source AS " + source,
		"CREATE TABLE " + table + " AS " + dataFile("mapping.sql"),
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

func setupMapping(t *testing.T) *sql.DB {
	t.Helper()
	db, err := openMapping(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

// Files cut between days have the same events as the whole file, in any order of the rows, and
// no two events share an ID.
func TestMappingGivesTheSameIDsForACut(t *testing.T) {
	t.Parallel()
	db := setupMapping(t)
	mapped(t, db, "whole", sampleSource)
	mapped(t, db, "cut", "SELECT * FROM ("+sampleSource+") WHERE date >= '2001-01-03' AND date < '2001-01-05' ORDER BY hash(_row)")
	if rows := scalar[int](t, db, "SELECT count(*) FROM whole"); rows < 100_000 || rows != scalar[int](t, db, "SELECT count(DISTINCT event_id) FROM whole") {
		t.Errorf("%d rows share IDs", rows)
	}
	if repeated := scalar[int](t, db, "SELECT count(*) FROM cut WHERE NOT ends_with(flight_id, '-1')"); repeated < 50 {
		t.Errorf("%d rows of the cut repeat another's minute and route: nothing is shown", repeated)
	}
	if differ := scalar[int](t, db, "SELECT count(*) FROM (FROM cut EXCEPT FROM whole)"); differ > 0 {
		t.Errorf("%d events of the cut are others in the whole", differ)
	}
}

// Local time is converted to UTC by the origin's rules on that day.
func TestMappingKnowsTheZones(t *testing.T) {
	t.Parallel()
	db := setupMapping(t)
	mapped(t, db, "events", `SELECT row_number() OVER () AS _row, col0::TIMESTAMP AS date, 5 AS delay, 100 AS distance,
		col1 AS origin, 'ATL' AS destination, col2 AS utc FROM (VALUES
		('2001-06-01 12:00', 'IND', '2001-06-01T17:00:00Z'), -- Indiana had no summer time then
		('2001-06-01 12:00', 'PHX', '2001-06-01T19:00:00Z'),
		('2001-06-01 12:00', 'LAX', '2001-06-01T19:00:00Z'),
		('2001-01-01 12:00', 'LAX', '2001-01-01T20:00:00Z'),
		('2001-01-01 12:00', 'HNL', '2001-01-01T22:00:00Z'),
		('2001-04-01 02:10', 'LAX', '2001-04-01T10:10:00Z'), -- skipped: with the offset from before
		('2001-10-28 01:10', 'LAX', '2001-10-28T09:10:00Z')) -- twice: the second one`)
	wrong := scalar[string](t, db, `SELECT coalesce(string_agg(utc || ' is ' || occurred_at, ', '), '') FROM source JOIN events USING (_row)
		WHERE occurred_at IS DISTINCT FROM utc OR departed_local <> strftime(date, '%Y-%m-%dT%H:%M:00')`)
	if wrong != "" {
		t.Error(wrong)
	}
}

// A row that can't become an event has NULL where it is invalid, so that the contract rejects it:
// it is never dropped, rounded or guessed.
func TestMappingReportsBadRows(t *testing.T) {
	t.Parallel()
	db := setupMapping(t)
	mapped(t, db, "events", `SELECT row_number() OVER () AS _row, col0 AS date, col1 AS delay, col2 AS distance,
		col3 AS origin, col4 AS destination, col5 AS fault FROM (VALUES
		('2001-01-01 12:00', '5', '100', 'LAX', 'ATL', ''),
		('2001-01-01 12:00', '5', '100', 'XXX', 'ATL', 'occurred_at origin_zone'),
		('2001-01-01 12:00', '5', '100', NULL, 'ATL', 'event_id occurred_at flight_id origin origin_zone'),
		('soon', '5', '100', 'LAX', 'ATL', 'event_id occurred_at flight_id departed_local'),
		('2001-01-01 12:00', 'x', '100', 'LAX', 'ATL', 'arrival_delay_minutes'),
		('2001-01-01 12:00', '5.5', '100', 'LAX', 'ATL', 'arrival_delay_minutes'),
		('2001-01-01 12:00', '5.0', '1e99', 'LAX', 'ATL', 'distance_miles'),
		('2001-01-01 12:00', NULL, '100', 'LAX', NULL, 'event_id flight_id destination arrival_delay_minutes'))`)
	// UNPIVOT leaves NULLs out: what is missing in it is NULL.
	wrong := scalar[string](t, db, `WITH present AS (FROM (SELECT _row, CAST(COLUMNS(* EXCLUDE (_row)) AS VARCHAR) FROM events) UNPIVOT (v FOR name IN (* EXCLUDE (_row)))),
		missing AS (SELECT _row, string_agg(column_name, ' ' ORDER BY column_index) AS names FROM source, duckdb_columns()
			WHERE table_name = 'events' AND column_name <> '_row' AND (_row, column_name) NOT IN (SELECT _row, name FROM present) GROUP BY _row)
		SELECT coalesce(string_agg(_row || ': ' || coalesce(names, '') || ' instead of ' || fault, '; '), '')
		FROM source LEFT JOIN missing USING (_row) WHERE coalesce(names, '') <> fault`)
	if wrong != "" || scalar[int](t, db, "SELECT count(*) FROM events") != 8 {
		t.Error(wrong)
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
