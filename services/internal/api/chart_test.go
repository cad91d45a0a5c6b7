package api_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/chart"
)

var (
	dotAt    = regexp.MustCompile(`d="M([0-9.]+) ([0-9.]+)m-3\.5`)
	chartTag = regexp.MustCompile(`>([^<>]*)</text>`)
)

// dots returns the positions of a chart's points.
func dots(t *testing.T, picture []byte) (xs, ys []float64) {
	t.Helper()
	for _, match := range dotAt.FindAllSubmatch(picture, -1) {
		x, errX := strconv.ParseFloat(string(match[1]), 64)
		y, errY := strconv.ParseFloat(string(match[2]), 64)
		if errX != nil || errY != nil {
			t.Fatalf("%s", match[0])
		}
		xs, ys = append(xs, x), append(ys, y)
	}
	return xs, ys
}

func chartTexts(picture []byte) (texts []string) {
	for _, match := range chartTag.FindAllSubmatch(picture, -1) {
		texts = append(texts, string(match[1]))
	}
	return texts
}

// The x axis is linear for numbers and times, in whatever order the rows come, and has a position
// for each name.
func TestChartOfNumbersAndTimes(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{
		"number":  "-- Number.\n-- chart: scatter x=x y=y\nSELECT * FROM (VALUES (1000, 1), (0, 2), (10, 3)) t(x, y)",
		"decimal": "-- Decimal.\n-- chart: scatter x=x y=y\nSELECT * FROM (VALUES (1.000, 1), (0, 2), (0.010, 3)) t(x, y)",
		"time":    "-- Time.\n-- chart: scatter x=x y=y\nSELECT TIMESTAMPTZ '2026-01-01 00:00:00Z' + to_hours(n) AS x, y FROM (VALUES (1000, 1), (0, 2), (10, 3)) t(n, y)",
		"day":     "-- Day.\n-- chart: scatter x=x y=y\nSELECT DATE '2026-01-01' + n AS x, y FROM (VALUES (1000, 1), (0, 2), (10, 3)) t(n, y)",
		"name":    "-- Name.\n-- chart: scatter x=x y=y\nSELECT x::VARCHAR AS x, y FROM (VALUES (1000, 1), (0, 2), (10, 3)) t(x, y)",
	})
	for name, want := range map[string]struct{ x, y float64 }{"number": {100, -2}, "decimal": {100, -2}, "time": {100, -2}, "day": {100, -2}, "name": {2, 1}} {
		_, _, picture := i.send(t, http.MethodGet, "/v1/test/"+name+"?format=svg", nil)
		xs, ys := dots(t, picture) // from left to right
		if len(xs) != 3 {
			t.Errorf("%s: %d points\n%s", name, len(xs), picture)
			continue
		}
		if got := (xs[2] - xs[0]) / (xs[1] - xs[0]) / want.x; got < 0.98 || got > 1.02 {
			t.Errorf("%s: the points lie at %v", name, xs)
		}
		if got := (ys[2] - ys[1]) / (ys[1] - ys[0]) / want.y; got < 0.98 || got > 1.02 {
			t.Errorf("%s: the points lie at %v", name, ys)
		}
	}
}

// All rows are drawn, beyond the limits of other formats too; a note counts those that are not.
func TestChartSaysWhatItLeavesOut(t *testing.T) {
	t.Parallel()
	const rows = "-- param: n integer required\nSELECT range AS x, CASE WHEN range % 100 = 7 THEN NULL WHEN range % 100 = 8 THEN 'nan'::DOUBLE ELSE 1000 + range % 50 END AS y FROM range($n)"
	i := setup(t, "SELECT 1", map[string]string{
		"whole":   "-- Whole.\n-- chart: line x=x y=y\n" + rows,
		"paged":   "-- Paged.\n-- order: x\n-- chart: line x=x y=y\n" + rows,
		"limited": "-- Limited.\n-- limit: rows=20\n-- chart: line x=x y=y\n" + rows,
	})
	for path, want := range map[string][]string{
		"whole?n=1105":          {"22 of 1105 rows have no number to draw"},
		"paged?n=1105":          {"22 of 1105 rows have no number to draw"},
		"paged?n=52000":         {"52000 rows, drawn as the lowest and the highest of each 100", "1040 of 52000 rows have no number to draw"},
		"whole?n=52000":         {"52000 rows, drawn as the lowest and the highest of each 100", "1040 of 52000 rows have no number to draw"},
		"paged?n=12000&limit=5": {"only the first 5 rows, there are more"},
		"whole?n=0":             {"no rows"},
	} {
		status, header, picture := i.send(t, http.MethodGet, "/v1/test/"+path+"&format=svg", nil)
		texts := chartTexts(picture)
		for _, note := range append(want, "as of 2026-01-31 12:00:00 UTC") {
			if status != http.StatusOK || !slices.Contains(texts, note) {
				t.Errorf("%s: %d, no %q in %q", path, status, note, texts)
			}
		}
		if link := header.Get("Link"); !strings.Contains(link, `format=csv`) || !strings.Contains(link, `; rel="alternate"; type="text/csv"`) || strings.Contains(link, `rel="next"`) != strings.Contains(path, "limit") {
			t.Errorf("%s: Link: %s", path, link)
		}
	}
	for _, path := range []string{"whole?n=1000001", "limited?n=21"} {
		if r := i.get(t, "/v1/test/"+path+"&format=svg"); r.Type != "/docs/problems/too-many-rows" {
			t.Errorf("%s: %s", path, r.text)
		}
	}
}

// The chart's format has what the SVG shows.
func TestChartFormat(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{
		"drawn": "-- Drawn.\n-- column: y unit=km -- Length.\n-- chart: line x=at y=y series=s\nSELECT DATE '2026-01-01' + x::INTEGER AS at, x::DECIMAL(5,1) / 2 AS y, s FROM range(3) AS a(x), (VALUES ('p'), ('q')) AS b(s)",
		"plain": "-- Plain.\nSELECT 1 AS n",
	})
	status, header, text := i.send(t, http.MethodGet, "/v1/test/drawn?format=chart", nil)
	var p chart.Picture
	if err := json.Unmarshal(text, &p); err != nil || status != http.StatusOK || header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Fatalf("%d %v %v", status, header, err)
	}
	if p.Y.Label != "y (km)" || len(p.Series) != 2 || p.Series[1].Name != "q" || len(p.Series[1].Runs) != 1 || len(p.Series[1].Runs[0]) != 3 || p.Series[1].Runs[0][2].Y != 1 {
		t.Errorf("%+v", p)
	}
	if r := i.get(t, "/v1/test/plain?format=chart"); r.Parameter != "format" {
		t.Errorf("%s", r.text)
	}
}

// Axes have round numbers and readable names: bars begin at zero, a line has its own range, long
// names are truncated, and only some of many are shown.
func TestChartAxes(t *testing.T) {
	t.Parallel()
	charts := map[string]struct {
		sql       string
		has, lack []string
	}{
		"line":     {"line x=x y=y\nSELECT range AS x, 1000 + range AS y FROM range(11)", []string{"0", "2", "10", "1000", "1010"}, []string{"200"}},
		"bar":      {"bar x=x y=y\nSELECT range AS x, 1000 + range AS y FROM range(11)", []string{"0", "200", "1000"}, []string{"1010"}},
		"area":     {"area x=x y=y\nSELECT range AS x, -1000 - range AS y FROM range(11)", []string{"0", "-200", "-1000"}, nil},
		"equal":    {"line x=x y=y\nSELECT 3 AS x, 7 AS y", []string{"3", "7"}, nil},
		"huge":     {"scatter x=x y=y\nSELECT range AS x, CASE WHEN range = 0 THEN -1.7e308 ELSE 1.7e308 END AS y FROM range(2)", []string{"1e+308", "-1e+308", "0"}, nil},
		"tiny":     {"scatter x=x y=y\nSELECT range * 1e-12 AS x, range * 1e-300 AS y FROM range(10)", []string{"2e-12", "8e-300"}, nil},
		"near":     {"line x=x y=y\nSELECT range AS x, 1000000000 + range AS y FROM range(9)", []string{"1000000002", "1000000008"}, nil},
		"millions": {"scatter x=x y=y\nSELECT range * 10000 AS x, range * 1000000 AS y FROM range(11)", []string{"20k", "100k", "2M", "10M"}, nil},
		"minutes":  {"line x=t y=y\nSELECT TIMESTAMP '2026-01-31 23:58:00' + to_minutes(range) AS t, range AS y FROM range(5)", []string{"23:58", "2026-01-31", "00:00", "2026-02-01"}, nil},
		"days":     {"line x=t y=y\nSELECT DATE '2026-01-30' + range::INTEGER AS t, range AS y FROM range(5)", []string{"2026-01-30", "2026-02-01"}, nil},
		"months":   {"line x=t y=y\nSELECT DATE '2025-11-01' + to_months(range::INTEGER) AS t, range AS y FROM range(5)", []string{"2025-12", "2026-02"}, nil},
		"years":    {"line x=t y=y\nSELECT DATE '1000-01-01' + to_years((range * 10)::INTEGER) AS t, range AS y FROM range(103)", []string{"1000", "1800", "2000"}, nil},
		"names":    {"bar x=x y=y\nSELECT CASE range WHEN 0 THEN NULL WHEN 1 THEN 'a&b' || chr(1) ELSE 'A name that has no room below its bar ' || range END AS x, range AS y FROM range(12)", []string{"NULL", "a&amp;b"}, []string{"A name that has no room below its bar 2"}},
		"many":     {"bar x=x y=y\nSELECT 'name ' || range AS x, range AS y FROM range(1000)", []string{"name 0"}, []string{"name 1", "name 2"}},
	}
	files := map[string]string{}
	for name, c := range charts {
		files[name] = "-- Title.\n-- chart: " + c.sql
	}
	i := setup(t, "SELECT 1", files)
	for name, c := range charts {
		status, _, picture := i.send(t, http.MethodGet, "/v1/test/"+name+"?format=svg", nil)
		texts := chartTexts(picture)
		all := "\n" + strings.Join(texts, "\n") + "\n"
		for _, text := range c.has {
			if status != http.StatusOK || !strings.Contains(all, "\n"+strings.TrimSpace(text)) {
				t.Errorf("%s: %d, no %q in %q", name, status, text, texts)
			}
		}
		for _, text := range c.lack {
			if strings.Contains(all, "\n"+text+"\n") {
				t.Errorf("%s: %q is in %q", name, text, texts)
			}
		}
		if len(texts) > 70 || strings.Contains(string(picture), "NaN") || strings.Contains(string(picture), "Inf") {
			t.Errorf("%s: %d texts\n%.2000s", name, len(texts), picture)
		}
	}
}
