package chart_test

import (
	"flag"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/chart"
)

var (
	update = flag.Bool("update", false, "write the golden files")
	style  = regexp.MustCompile(`<style>.*</style>`)
)

// Each kind of chart is drawn as in its golden file, as SVG and as text.
func TestGolden(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 3, 28, 0, 0, 0, 0, time.UTC) // clocks change in Europe on the 29th
	var hours []time.Time
	var days []day
	for i := range 60 {
		hours = append(hours, start.Add(time.Duration(i*i)*3*time.Minute))
		days = append(days, day(start.AddDate(0, 0, i/5)))
	}
	units := map[string]string{"wait": "minutes", "flights": "flights"}
	charts := map[string]struct {
		spec chart.Spec
		rows table
	}{
		"bar": {
			chart.Spec{Title: "Flights and delays by route.", Kind: chart.Bar, X: "route", Y: []string{"flights", "wait"}, Units: units},
			table{{"route", []string{"ATL-LGA", "<script>", "LAX-SFO"}}, {"flights", []float64{120, 80, math.NaN()}}, {"wait", []float64{-12.5, 0, 30}}},
		},
		"line": {
			chart.Spec{Title: "Wait.", Kind: chart.Line, X: "at", Y: []string{"wait"}, Units: units},
			table{{"at", hours[:8]}, {"wait", []float64{5, 9, math.NaN(), 20, 18.25, math.NaN(), 3, 4}}},
		},
		"area": {
			chart.Spec{Title: "Flights.", Kind: chart.Area, X: "day", Y: []string{"flights"}, Units: units},
			table{{"day", []day{days[0], days[5], days[10], days[15]}}, {"flights", []float64{1000, 1400, 900, 1250}}},
		},
		"scatter": {
			chart.Spec{Title: "Distance and wait.", Kind: chart.Scatter, X: "miles", Y: []string{"wait"}, Series: "origin"},
			table{{"miles", []int64{100, 300, 300, 900}}, {"wait", []float64{4, -3, 7, 2.5}}, {"origin", []string{"ATL", "LAX", "ATL", "BOS"}}},
		},
		"histogram": {
			chart.Spec{Title: "Waits.", Kind: chart.Histogram, X: "wait", Units: units},
			table{{"wait", []int64{1, 2, 2, 3, 3, 3, 5}}},
		},
		"heatmap": {
			chart.Spec{Title: "When.", Kind: chart.Heatmap, X: "at"},
			table{{"at", hours}},
		},
	}
	for name, c := range charts {
		p := c.rows.picture(t, c.spec)
		var text strings.Builder
		for _, width := range []int{60, 24} {
			if err := p.Text(&text, width, nil); err != nil {
				t.Fatal(err)
			}
		}
		golden(t, name+".svg", style.ReplaceAllString(strings.ReplaceAll(c.rows.svg(t, c.spec), "><", ">\n<"), "<style/>"))
		golden(t, name+".txt", text.String())
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || got != string(want) {
		t.Errorf("%s: %v, got\n%s", name, err, got)
	}
}
