package observability

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed slo.yaml
var committed []byte

// File is slo.yaml.
type File struct {
	SLOs      []SLO       `yaml:"slos"`
	Burn      []Burn      `yaml:"burn"`
	NotChosen []NotChosen `yaml:"not_chosen"`
	Causes    []Cause     `yaml:"causes"`
}

// SLO is one service level objective.
type SLO struct {
	Name  string `yaml:"name"`
	Title string `yaml:"title"`
	// Part is what optional part of a system it is about: PartIngest, or none.
	Part string `yaml:"part"`
	// Objective is the share that must be good, between 0 and 1.
	Objective float64 `yaml:"objective"`
	// WindowDays is the length of the rolling window that the budget is for.
	WindowDays int    `yaml:"window_days"`
	Owner      string `yaml:"owner"`
	// SLI says in words what is measured, Why why this and with this objective.
	SLI string `yaml:"sli"`
	Why string `yaml:"why"`
	// Few says that one event is a large share of any hour. A pace of burning means nothing then: one bad
	// event would be 100 % of the hour, and page. What is left of the budget is shown all the same.
	Few bool `yaml:"few"`
	// Good and Total are PromQL, rates or counts over $window.
	Good  string `yaml:"good"`
	Total string `yaml:"total"`
	Cloud Cloud  `yaml:"cloud"`
}

// PartIngest is the part of a system that takes events by POST.
const PartIngest = "ingest"

// Without is the file for a system that lacks an optional part.
func (f File) Without(part string) File {
	f.SLOs = slices.DeleteFunc(slices.Clone(f.SLOs), func(o SLO) bool { return o.Part == part })
	f.Causes = slices.DeleteFunc(slices.Clone(f.Causes), func(c Cause) bool { return c.Part == part })
	return f
}

// Steady are the objectives whose budgets burn at a pace: all but those of few events.
func (f File) Steady() []SLO {
	return slices.DeleteFunc(slices.Clone(f.SLOs), func(o SLO) bool { return o.Few })
}

// Cloud is an SLI for Cloud Monitoring, in filters: two of good, bad and total, or a
// distribution.
type Cloud struct {
	Good         string `yaml:"good"`
	Bad          string `yaml:"bad"`
	Total        string `yaml:"total"`
	Distribution string `yaml:"distribution"`
	// Max is the value below which a distribution is good.
	Max float64 `yaml:"max"`
}

// Burn is a pace at which a budget may burn: Factor 1 uses it up exactly at the end of
// its window.
type Burn struct {
	Factor float64 `yaml:"factor"`
	// Long and Short are the windows that must both show it, as PromQL writes
	// durations.
	Long  string `yaml:"long"`
	Short string `yaml:"short"`
	// Severity is page (somebody is woken) or ticket (somebody looks the next day).
	Severity string `yaml:"severity"`
}

// Windows are the lengths of both windows in minutes.
func (b Burn) Windows() (long, short int) { return minutes(b.Long), minutes(b.Short) }

// NotChosen is a metric that is no SLI.
type NotChosen struct {
	Metric string `yaml:"metric"`
	Why    string `yaml:"why"`
}

// Cause is an alert on a cause, for what is better known before a budget burns.
type Cause struct {
	Name string `yaml:"name"`
	// Part is as an objective's.
	Part     string `yaml:"part"`
	Severity string `yaml:"severity"`
	// For is how long the expression must hold.
	For  string `yaml:"for"`
	Expr string `yaml:"expr"`
	// Says is what is wrong, Do what to do.
	Says string `yaml:"says"`
	Do   string `yaml:"do"`
	// Fires and Silent are series, a value a minute, on which it must and must not
	// fire, in promtool's notation.
	Fires  []string `yaml:"fires"`
	Silent []string `yaml:"silent"`
}

// Load reads slo.yaml as it was committed.
func Load() (File, error) { return Parse(committed) }

// Parse reads a file and reports everything that is wrong with it.
func Parse(text []byte) (File, error) {
	var f File
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(&f); err != nil {
		return File{}, fmt.Errorf("read slo.yaml: %w", err)
	}
	if err := f.check(); err != nil {
		return File{}, fmt.Errorf("check slo.yaml:\n%w", err)
	}
	return f, nil
}

var (
	sloName   = regexp.MustCompile(`^[a-z][a-z-]*[a-z]$`)
	alertName = regexp.MustCompile(`^[A-Z][A-Za-z]+$`)
	duration  = regexp.MustCompile(`^[1-9][0-9]*[mhd]$`)
)

func (f File) check() error {
	var errs []error
	bad := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	bad(len(f.SLOs) == 0, "slos: there is none")
	bad(len(f.Burn) == 0, "burn: there is none, and so no alert")
	names := map[string]bool{}
	for i, o := range f.SLOs {
		bad(!sloName.MatchString(o.Name), "slos[%d]: name %q: want lower case letters and -", i, o.Name)
		bad(names[o.Name], "slos[%d]: the name %s is taken", i, o.Name)
		names[o.Name] = true
		bad(o.Title == "" || o.Owner == "" || o.SLI == "" || o.Why == "", "%s: title, owner, sli and why are all needed", o.Name)
		bad(o.Part != "" && o.Part != PartIngest, "%s: part %q: want %s, or none", o.Name, o.Part, PartIngest)
		bad(o.Objective <= 0 || o.Objective >= 1, "%s: objective %v: want a share between 0 and 1", o.Name, o.Objective)
		bad(o.WindowDays < 1 || o.WindowDays > 30, "%s: window_days %d: want 1 to 30", o.Name, o.WindowDays)
		bad(!strings.Contains(o.Good, "$window") || !strings.Contains(o.Total, "$window"), "%s: good and total must be rates or counts over $window", o.Name)
		if o.Few {
			bad(o.Cloud != Cloud{}, "%s: cloud: with few events there is none, for its alerts are on paces", o.Name)
		} else {
			errs = append(errs, o.Cloud.check(o.Name))
		}
	}
	for i, b := range f.Burn {
		bad(b.Factor <= 0, "burn[%d]: factor %v: want more than 0", i, b.Factor)
		bad(!duration.MatchString(b.Long) || !duration.MatchString(b.Short), "burn[%d]: long and short: want durations such as 5m, 6h, 3d", i)
		bad(b.Severity != "page" && b.Severity != "ticket", "burn[%d]: severity %q: want page or ticket", i, b.Severity)
	}
	for i, n := range f.NotChosen {
		bad(n.Metric == "" || n.Why == "", "not_chosen[%d]: metric and why are both needed", i)
	}
	for i, c := range f.Causes {
		bad(!alertName.MatchString(c.Name), "causes[%d]: name %q: want a word in camel case", i, c.Name)
		bad(c.Part != "" && c.Part != PartIngest, "%s: part %q: want %s, or none", c.Name, c.Part, PartIngest)
		bad(c.Severity != "page" && c.Severity != "ticket", "%s: severity %q: want page or ticket", c.Name, c.Severity)
		bad(!duration.MatchString(c.For), "%s: for %q: want a duration such as 5m", c.Name, c.For)
		bad(c.Expr == "" || c.Says == "" || c.Do == "", "%s: expr, says and do are all needed", c.Name)
		bad(len(c.Fires) == 0 || len(c.Silent) == 0, "%s: fires and silent are both needed: an alert without a test is a guess", c.Name)
	}
	return errors.Join(errs...)
}

func (c Cloud) check(name string) error {
	given := 0
	for _, filter := range []string{c.Good, c.Bad, c.Total} {
		if filter != "" {
			given++
		}
	}
	// https://cloud.google.com/monitoring/api/ref_v3/rest/v3/services.serviceLevelObjectives#TimeSeriesRatio
	if ratio := c.Good + c.Bad + c.Total; strings.Contains(ratio, `/histogram"`) {
		return fmt.Errorf("%s: cloud: good, bad and total are counters; a histogram is a distribution", name)
	}
	ratio := given == 2 && c.Distribution == "" && c.Max == 0
	cut := c.Distribution != "" && c.Max > 0 && c.Total == "" && c.Good == "" && c.Bad == ""
	if ratio || cut {
		return nil
	}
	return fmt.Errorf("%s: cloud: want two of good, bad and total, or distribution and max", name)
}
