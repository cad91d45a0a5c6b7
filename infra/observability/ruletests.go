package observability

import (
	"fmt"
	"maps"
	"slices"
)

// testFile is a file of promtool's unit tests.
type testFile struct {
	RuleFiles          []string `yaml:"rule_files"`
	EvaluationInterval string   `yaml:"evaluation_interval"`
	// GroupEvalOrder is that in which groups build on each other.
	GroupEvalOrder []string   `yaml:"group_eval_order"`
	Tests          []ruleTest `yaml:"tests"`
}

type ruleTest struct {
	Name     string      `yaml:"name"`
	Interval string      `yaml:"interval"`
	Series   []series    `yaml:"input_series"`
	Alerts   []alertTest `yaml:"alert_rule_test"`
}

type series struct {
	Series string `yaml:"series"`
	Values string `yaml:"values"`
}

type alertTest struct {
	EvalTime string     `yaml:"eval_time"`
	Name     string     `yaml:"alertname"`
	Alerts   []expected `yaml:"exp_alerts"`
}

type expected struct {
	Labels      map[string]string `yaml:"exp_labels"`
	Annotations map[string]string `yaml:"exp_annotations"`
}

// tests are two for every alert, by file: one in which it fires, and one with a blip in
// which it is silent. A pace has a file of its own, for its windows say how often rules
// need to be evaluated: every minute of three days would take minutes.
func (f File) tests() map[string]testFile {
	all := map[string]testFile{}
	for _, b := range f.Burn {
		file := f.testFile(max(1, minutes(b.Short)/12))
		for _, o := range f.Steady() {
			file.Tests = append(file.Tests, f.burnTest(o, b, true), f.burnTest(o, b, false))
		}
		all["generated/rules_test_"+b.Long+".yaml"] = file
	}
	causes := f.testFile(1)
	for _, c := range f.Causes {
		causes.Tests = append(causes.Tests, f.causeTest(c, true), f.causeTest(c, false))
	}
	all["generated/rules_test_causes.yaml"] = causes
	return all
}

// testFile is an empty one, in which rules are evaluated every so many minutes.
func (f File) testFile(every int) testFile {
	file := testFile{RuleFiles: []string{"rules.yaml"}, EvaluationInterval: fmt.Sprintf("%dm", every)}
	for _, g := range f.rules().Groups {
		file.GroupEvalOrder = append(file.GroupEvalOrder, g.Name)
	}
	return file
}

// fed are the series that make an objective's rates: a good and a total counter.
func fed(o SLO) (good, bad []string, both string) {
	switch o.Name {
	case "freshness":
		return []string{`estela_freshness_seconds_bucket{system="a",dataset="d",le="5.0"}`}, nil, `estela_freshness_seconds_count{system="a",dataset="d"}`
	case "completeness":
		return []string{`estela_stream_entries_reconciled_total{system="a",dataset="d"}`}, []string{`estela_stream_entries_lost_total{system="a",dataset="d"}`}, ""
	case "validity":
		return []string{`estela_events_total{system="a",dataset="d",outcome="stored"}`}, []string{`estela_events_total{system="a",dataset="d",outcome="rejected"}`}, ""
	case "ingest-availability":
		return []string{`estela_ingest_requests_total{system="a",dataset="d",status="202"}`},
			[]string{`estela_ingest_requests_total{system="a",dataset="d",status="503",problem="stream-full"}`}, ""
	case "ingest-latency":
		return []string{`estela_ingest_accept_duration_seconds_bucket{system="a",dataset="d",le="0.512"}`}, nil,
			`estela_ingest_accept_duration_seconds_count{system="a",dataset="d"}`
	case "read-availability":
		return []string{`estela_http_requests_total{system="a",endpoint="d/e",status="200"}`},
			[]string{`estela_http_requests_total{system="a",endpoint="d/e",status="503"}`}, ""
	default:
		return []string{`estela_http_request_duration_seconds_bucket{system="a",endpoint="d/e",status="200",le="0.256"}`}, nil,
			`estela_http_request_duration_seconds_count{system="a",endpoint="d/e",status="200"}`
	}
}

// burnTest feeds counters at a million events a minute, of which a share is bad: above the threshold for all
// of the long window, or for a twentieth of it.
func (f File) burnTest(o SLO, b Burn, fires bool) ruleTest {
	const perMinute = 1_000_000
	long := minutes(b.Long)
	threshold := b.Factor * (1 - o.Objective)
	share := min(1, 1.5*threshold)
	calm, storm, after := long/10+30, long+30, 0
	if !fires {
		// A blip that would be seen in the short window, and is nothing in the long one. It is over
		// when the alert is looked at, but not gone from the short window.
		calm, storm, after = long+30, max(1, long/20), 1
		share = min(1, 4*threshold)
	}
	bad := int(share * perMinute)
	good, badSeries, both := fed(o)
	var in []series
	ramp := func(name string, quiet, stormy int) {
		// promtool's "a+bxn" adds b n times; the next piece goes on from where that ended.
		at := quiet * calm
		mid := at + stormy*storm
		values := fmt.Sprintf("0+%dx%d %d+%dx%d", quiet, calm, at+stormy, stormy, storm-1)
		if after > 0 {
			values += fmt.Sprintf(" %d+%dx%d", mid+quiet, quiet, after-1)
		}
		in = append(in, series{name, values})
	}
	for _, name := range good {
		ramp(name, perMinute, perMinute-bad)
	}
	for _, name := range badSeries {
		ramp(name, 0, bad)
	}
	if both != "" {
		ramp(both, perMinute, perMinute)
	}
	test := ruleTest{
		Name: alertOf(o, b) + map[bool]string{true: " fires", false: " is silent on a blip"}[fires], Interval: "1m", Series: in,
		Alerts: []alertTest{{EvalTime: fmt.Sprintf("%dm", calm+storm+after-1), Name: alertOf(o, b)}},
	}
	if fires {
		i := slices.IndexFunc(f.burning(), func(r rule) bool { return r.Alert == alertOf(o, b) })
		r := f.burning()[i]
		labels := map[string]string{"system": "a", "slo": o.Name}
		maps.Copy(labels, r.Labels)
		test.Alerts[0].Alerts = []expected{{labels, filled(r.Annotations, "a")}}
	}
	return test
}

// causeTest feeds what slo.yaml says.
func (f File) causeTest(c Cause, fires bool) ruleTest {
	lines, end := c.Silent, minutes(c.For)+20
	if fires {
		lines = c.Fires
	}
	test := ruleTest{
		Name: "Estela" + c.Name + map[bool]string{true: " fires", false: " is silent on a blip"}[fires], Interval: "1m",
		Alerts: []alertTest{{EvalTime: fmt.Sprintf("%dm", end), Name: "Estela" + c.Name}},
	}
	for _, line := range lines {
		name, values := cutSeries(line)
		test.Series = append(test.Series, series{name, values})
	}
	if !fires {
		// At every minute, for it might fire and be over at the end.
		test.Alerts = nil
		for m := range end + 1 {
			test.Alerts = append(test.Alerts, alertTest{EvalTime: fmt.Sprintf("%dm", m), Name: "Estela" + c.Name})
		}
		return test
	}
	i := slices.IndexFunc(f.causing(), func(r rule) bool { return r.Alert == "Estela"+c.Name })
	r := f.causing()[i]
	labels := labelsOf(test.Series[0].Series)
	delete(labels, "instance")
	system := labels["system"]
	if c.Name == "WorkersGone" { // nothing is there to have labels
		labels, system = map[string]string{}, ""
	}
	labels["severity"] = c.Severity
	test.Alerts[0].Alerts = []expected{{labels, filled(r.Annotations, system)}}
	return test
}
