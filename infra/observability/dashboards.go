package observability

import (
	"fmt"
	"strings"
)

// dashboard is one of Grafana's, as far as it needs to be said.
type dashboard struct {
	UID           string   `json:"uid"`
	Title         string   `json:"title"`
	Tags          []string `json:"tags"`
	SchemaVersion int      `json:"schemaVersion"`
	Refresh       string   `json:"refresh"`
	Time          span     `json:"time"`
	Templating    struct {
		List []variable `json:"list"`
	} `json:"templating"`
	Panels []panel `json:"panels"`
}

type span struct {
	From string `json:"from"`
	To   string `json:"to"`
}

type variable struct {
	Name       string `json:"name"`
	Type       string `json:"type"`
	Query      string `json:"query"`
	Datasource string `json:"datasource,omitempty"`
	Refresh    int    `json:"refresh,omitempty"`
	IncludeAll bool   `json:"includeAll,omitempty"`
	Multi      bool   `json:"multi,omitempty"`
	AllValue   string `json:"allValue,omitempty"`
}

type panel struct {
	ID          int         `json:"id"`
	Title       string      `json:"title"`
	Description string      `json:"description,omitempty"`
	Type        string      `json:"type"`
	Datasource  string      `json:"datasource"`
	GridPos     gridPos     `json:"gridPos"`
	Targets     []target    `json:"targets"`
	FieldConfig fieldConfig `json:"fieldConfig"`
	Options     any         `json:"options,omitempty"`
}

type gridPos struct {
	X int `json:"x"`
	Y int `json:"y"`
	W int `json:"w"`
	H int `json:"h"`
}

type target struct {
	RefID   string `json:"refId"`
	Expr    string `json:"expr"`
	Legend  string `json:"legendFormat,omitempty"`
	Instant bool   `json:"instant,omitempty"`
	Format  string `json:"format,omitempty"`
}

type fieldConfig struct {
	Defaults defaults `json:"defaults"`
}

type defaults struct {
	Unit       string     `json:"unit,omitempty"`
	Min        *float64   `json:"min,omitempty"`
	Max        *float64   `json:"max,omitempty"`
	Thresholds thresholds `json:"thresholds"`
}

type thresholds struct {
	Mode  string `json:"mode"`
	Steps []step `json:"steps"`
}

type step struct {
	Color string   `json:"color"`
	Value *float64 `json:"value"`
}

// question is a panel to be: what it shows, in which unit.
type question struct {
	title, why, expr, legend, unit, kind string
	width                                int
	// below and above are where the colour changes.
	steps []step
}

// from is a value and the colour from there on.
func from(value float64, color string) step { return step{color, &value} }

func colours(first string, then ...step) []step { return append([]step{{Color: first}}, then...) }

// dashboards are Grafana's: is it well, why not, and how are all of them.
func (f File) dashboards() []dashboard {
	budget := colours("red", from(0.0, "orange"), from(0.25, "green"))
	health := []question{}
	for _, o := range f.SLOs {
		health = append(health,
			question{o.Title + ": budget left", o.SLI, fmt.Sprintf(`estela:slo_budget:remaining{slo=%q,system=~"$system"}`, o.Name), "{{system}}", "percentunit", "stat", 6, budget},
			bad(o))
	}
	pipeline := []question{
		{"Events settled", "By outcome.", `sum by (dataset, outcome) (rate(estela_events_total{system=~"$system"}[5m]))`, "{{dataset}} {{outcome}}", "eps", "timeseries", 12, colours("green")},
		{"Age of the oldest event that is not committed", "What lag means here.", `max by (dataset, shard) (estela_oldest_uncommitted_seconds{system=~"$system"})`, "{{dataset}} {{shard}}", "s", "timeseries", 12, colours("green", from(5.0, "orange"), from(60.0, "red"))},
		{"Freshness, 99th percentile", "From publishing to the commit.", `histogram_quantile(0.99, sum by (dataset, le) (rate(estela_freshness_seconds_bucket{system=~"$system"}[5m])))`, "{{dataset}}", "s", "timeseries", 12, colours("green", from(5.0, "red"))},
		{"Commit, 95th percentile", "Dedupe and retries included.", `histogram_quantile(0.95, sum by (dataset, le) (rate(estela_commit_duration_seconds_bucket{system=~"$system"}[5m])))`, "{{dataset}}", "s", "timeseries", 12, colours("green")},
		{"Redis' memory", "Of what it may use; at 100 % producers are refused.", `estela_redis_memory_bytes{system=~"$system"} / (estela_redis_memory_max_bytes{system=~"$system"} > 0)`, "{{system}}", "percentunit", "timeseries", 8, colours("green", from(0.8, "red"))},
		{"Entries in the streams", "Committed ones are kept for a while.", `sum by (dataset) (estela_stream_entries{system=~"$system"})`, "{{dataset}}", "short", "timeseries", 8, colours("green")},
		{"Shards without an owner", "0 is well.", `count(sum by (system, dataset, shard) (estela_shard_owned{system=~"$system"}) == 0) or vector(0)`, "", "short", "stat", 8, colours("green", from(1.0, "red"))},
		{"Commits refused and tried again", "The warehouse was asked again.", `sum by (dataset) (rate(estela_commit_retries_total{system=~"$system"}[5m]))`, "{{dataset}}", "ops", "timeseries", 12, colours("green")},
		{"Rejected", "Events that broke their contract.", `sum by (dataset) (rate(estela_events_total{system=~"$system",outcome="rejected"}[5m]))`, "{{dataset}}", "eps", "timeseries", 12, colours("green", from(0.01, "orange"))},
	}
	services := []question{
		{"Requests", "By endpoint.", `sum by (endpoint) (rate(estela_http_request_duration_seconds_count{system=~"$system"}[5m]))`, "{{endpoint}}", "reqps", "timeseries", 12, colours("green")},
		{"Answered with an error", "By status.", `sum by (status) (rate(estela_http_request_duration_seconds_count{system=~"$system",status=~"[45].."}[5m]))`, "{{status}}", "reqps", "timeseries", 12, colours("green")},
		{"Time to answer, 95th percentile", "By endpoint.", `histogram_quantile(0.95, sum by (endpoint, le) (rate(estela_http_request_duration_seconds_bucket{system=~"$system"}[5m])))`, "{{endpoint}}", "s", "timeseries", 12, colours("green", from(0.256, "red"))},
		{"Memory", "Resident.", `sum by (system, instance) (process_resident_memory_bytes{system=~"$system"})`, "{{system}} {{instance}}", "bytes", "timeseries", 12, colours("green")},
	}
	ingest := []question{
		{"POSTs", "By status.", `sum by (status) (rate(estela_ingest_requests_total{system=~"$system"}[5m]))`, "{{status}}", "reqps", "timeseries", 12, colours("green")},
		{"Refused", "By the kind of problem: stream-full, stream-unavailable and ingest-overloaded are ours, the others the sender's.", `sum by (dataset, problem) (rate(estela_ingest_requests_total{system=~"$system",problem!=""}[5m]))`, "{{dataset}} {{problem}}", "reqps", "timeseries", 12, colours("green")},
		{"Events accepted", "Invalid ones become rejects (on-invalid=reject).", `sum by (dataset, outcome) (rate(estela_ingest_events_total{system=~"$system"}[5m]))`, "{{dataset}} {{outcome}}", "eps", "timeseries", 12, colours("green")},
		{"Bytes accepted", "Without their compression.", `sum by (dataset) (rate(estela_ingest_bytes_total{system=~"$system"}[5m]))`, "{{dataset}}", "Bps", "timeseries", 12, colours("green")},
		{"Time until accepted, 99th percentile", "From the POST to Redis' having its events; not the wait until they are stored.", `histogram_quantile(0.99, sum by (dataset, le) (rate(estela_ingest_accept_duration_seconds_bucket{system=~"$system"}[5m])))`, "{{dataset}}", "s", "timeseries", 8, colours("green", from(0.512, "red"))},
		{"In flight", "Of the POSTs that a process takes on, the fullest one.", `max by (system) (estela_ingest_in_flight{system=~"$system"} / estela_ingest_in_flight_max{system=~"$system"})`, "{{system}}", "percentunit", "timeseries", 8, colours("green", from(0.8, "red"))},
		{"Waiting until stored", "POSTs with durability=stored.", `sum by (system) (estela_ingest_waiting{system=~"$system"})`, "{{system}}", "short", "timeseries", 8, colours("green")},
	}
	fleet := []question{
		{"Budget left, worst first", "A system a row, an objective a column.", `sort(estela:slo_budget:remaining)`, "", "percentunit", "table", 24, budget},
		{"Burning now", "How many times too fast in the last hour, the ten worst.", f.worst(), "{{system}} {{slo}}", "short", "bargauge", 12, colours("green", from(1.0, "orange"), from(14.4, "red"))},
		{"Oldest event not committed", "The ten worst systems.", `topk(10, max by (system) (estela_oldest_uncommitted_seconds))`, "{{system}}", "s", "bargauge", 12, colours("green", from(5.0, "orange"), from(60.0, "red"))},
		{"Events a second", "All systems.", `sum(estela:slo_total:rate5m{slo="validity"})`, "", "eps", "stat", 6, colours("green")},
		{"Systems", "That report.", `count(count by (system) (estela_shard_owned))`, "", "short", "stat", 6, colours("green")},
		{"Systems with a burnt budget", "Of any objective.", `count(count by (system) (estela:slo_budget:remaining < 0)) or vector(0)`, "", "short", "stat", 6, colours("green", from(1.0, "red"))},
		{"Versions", "What runs where.", `count by (version) (estela_build_info)`, "{{version}}", "short", "stat", 6, colours("green")},
	}
	return []dashboard{
		board("estela-slo", "Estela: objectives", "now-7d", health),
		board("estela-pipeline", "Estela: pipeline", "now-3h", pipeline),
		board("estela-ingest", "Estela: events by POST", "now-3h", ingest),
		board("estela-services", "Estela: reads", "now-3h", services),
		board("estela-fleet", "Estela: all systems", "now-7d", fleet),
	}
}

// bad is the share of bad events beside where alerts begin, or with few events over days alone: over
// hours it would be all or nothing.
func bad(o SLO) question {
	q := question{o.Title + ": bad, by window", "Each line against the pace of its alert.", "", "{{__name__}}", "percentunit", "timeseries", 18, nil}
	windows, red := "(5m|1h|6h)", round(14.4*(1-o.Objective))
	if o.Few {
		q.title, q.why = o.Title+": bad, over three days", "Above the line the budget shrinks."
		windows, red = "3d", 0.5
	}
	q.expr = fmt.Sprintf(`{__name__=~"estela:slo_errors:ratio_rate%s",slo=%q,system=~"$system"}`, windows, o.Name)
	q.steps = colours("green", from(round(1-o.Objective), "orange"), from(red, "red"))
	return q
}

// worst is the pace of every objective of every system in the last hour.
func (f File) worst() string {
	steady := f.Steady()
	all := make([]string, len(steady))
	for i, o := range steady {
		all[i] = fmt.Sprintf(`estela:slo_errors:ratio_rate1h{slo=%q} / %g`, o.Name, round(1-o.Objective))
	}
	return "topk(10, " + strings.Join(all, " or ") + ")"
}

// board lays the panels out in rows of 24 columns.
func board(uid, title, from string, all []question) dashboard {
	d := dashboard{UID: uid, Title: title, Tags: []string{"estela"}, SchemaVersion: 39, Refresh: "1m", Time: span{from, "now"}}
	d.Templating.List = []variable{
		{Name: "source", Type: "datasource", Query: "prometheus"},
		{Name: "system", Type: "query", Query: "label_values(estela_shard_owned, system)", Datasource: "$source", Refresh: 2, IncludeAll: true, Multi: true, AllValue: ".*"},
	}
	x, y, height := 0, 0, 8
	for i, q := range all {
		if x+q.width > 24 {
			x, y = 0, y+height
		}
		t := target{RefID: "A", Expr: q.expr, Legend: q.legend}
		if q.kind != "timeseries" {
			t.Instant = true
		}
		if q.kind == "table" {
			t.Format = "table"
		}
		d.Panels = append(d.Panels, panel{
			ID: i + 1, Title: q.title, Description: q.why, Type: q.kind, Datasource: "$source", GridPos: gridPos{x, y, q.width, height},
			Targets: []target{t}, FieldConfig: fieldConfig{defaults{Unit: q.unit, Thresholds: thresholds{"absolute", q.steps}}},
		})
		x += q.width
	}
	return d
}
