package observability

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

const generatedBy = "# Made from slo.yaml by `go run ./observability/gen`. Change that, not this.\n"

// Generate is every file that is made from slo.yaml, by its path from this package's
// folder. readme is the README as it is; what stands between its markers is made anew.
func Generate(f File, readme []byte) (map[string][]byte, error) {
	files := map[string][]byte{}
	all := map[string]any{"generated/rules.yaml": f.rules(), "generated/prometheus.yml": laptop()}
	for name, file := range f.tests() {
		all[name] = file
	}
	for name, v := range all {
		var b bytes.Buffer
		b.WriteString(generatedBy)
		e := yaml.NewEncoder(&b)
		e.SetIndent(2)
		if err := e.Encode(v); err != nil {
			return nil, fmt.Errorf("write %s: %w", name, err)
		}
		files[name] = b.Bytes()
	}
	for _, d := range f.dashboards() {
		text, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			return nil, fmt.Errorf("write dashboard %s: %w", d.UID, err)
		}
		files["generated/"+d.UID+".json"] = append(text, '\n')
	}
	text, err := between(readme, f.table())
	if err != nil {
		return nil, err
	}
	files["README.md"] = text
	return files, nil
}

// laptop is the configuration of a Prometheus that looks at 'estela up' on the same machine.
func laptop() any {
	type static struct {
		Targets []string          `yaml:"targets"`
		Labels  map[string]string `yaml:"labels"`
	}
	type scrape struct {
		JobName       string   `yaml:"job_name"`
		StaticConfigs []static `yaml:"static_configs"`
	}
	return struct {
		Global        map[string]string `yaml:"global"`
		RuleFiles     []string          `yaml:"rule_files"`
		ScrapeConfigs []scrape          `yaml:"scrape_configs"`
	}{
		map[string]string{"scrape_interval": "5s"},
		[]string{"rules.yaml"},
		[]scrape{{"estela", []static{{[]string{"127.0.0.1:9090"}, map[string]string{"system": "laptop"}}}}},
	}
}

// Write writes the files into dir.
func Write(dir string, files map[string][]byte) error {
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			return fmt.Errorf("make folder: %w", err)
		}
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return fmt.Errorf("write file: %w", err)
		}
	}
	return nil
}

// between replaces what stands between the README's two markers.
func between(text []byte, with string) ([]byte, error) {
	const begin, end = "<!-- objectives -->\n", "<!-- /objectives -->"
	before, rest, ok := strings.Cut(string(text), begin)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return nil, fmt.Errorf("README.md has no markers %s and %s", strings.TrimSpace(begin), end)
	}
	return []byte(before + begin + with + end + after), nil
}

// table is the README's.
func (f File) table() string {
	var b strings.Builder
	b.WriteString("| objective | what is measured | of 28 days may be bad | owner | why |\n| --- | --- | --- | --- | --- |\n")
	for _, o := range f.SLOs {
		fmt.Fprintf(&b, "| <a id=%q></a>**%s**: %g %% | %s | %s | %s | %s |\n", o.Name, o.Title, round(100*o.Objective), o.SLI, allowed(o), o.Owner, o.Why)
	}
	b.WriteString("\n| burns | seen in | tells |\n| --- | --- | --- |\n")
	for _, w := range f.Burn {
		fmt.Fprintf(&b, "| %g times too fast | %s and %s | %s |\n", w.Factor, w.Long, w.Short, w.Severity)
	}
	b.WriteString("\n| when everything is bad | is told of after |\n| --- | --- |\n")
	for _, o := range f.Steady() {
		fmt.Fprintf(&b, "| %s | %.0f min |\n", o.Title, f.detects(o))
	}
	b.WriteString("\n| cause | tells after | what is wrong | what to do |\n| --- | --- | --- | --- |\n")
	for _, c := range f.Causes {
		fmt.Fprintf(&b, "| <a id=%q></a>%s | %s, %s | %s | %s |\n", strings.ToLower(c.Name), c.Name, c.For, c.Severity, c.Says, c.Do)
	}
	b.WriteString("\n| not an objective | why |\n| --- | --- |\n")
	for _, n := range f.NotChosen {
		fmt.Fprintf(&b, "| %s | %s |\n", n.Metric, n.Why)
	}
	return b.String()
}

// detects is the time in minutes until a long window shows an outage in which everything
// is bad: until its share of bad events is that of the pace.
func (f File) detects(o SLO) float64 {
	least := math.Inf(1)
	for _, b := range f.Burn {
		least = min(least, b.Factor*(1-o.Objective)*float64(minutes(b.Long)))
	}
	return math.Ceil(least)
}

// allowed is an error budget as time, of a window in which events come evenly; few events don't.
func allowed(o SLO) string {
	if o.Few {
		return fmt.Sprintf("%g %% of them", round(100*(1-o.Objective)))
	}
	m := (1 - o.Objective) * float64(o.WindowDays) * 24 * 60
	switch {
	case m >= 120:
		return fmt.Sprintf("%.1f h", m/60)
	default:
		return fmt.Sprintf("%.0f min", m)
	}
}

var labelPair = regexp.MustCompile(`(\w+)="([^"]*)"`)

func labelsOf(series string) map[string]string {
	labels := map[string]string{}
	for _, found := range labelPair.FindAllStringSubmatch(series, -1) {
		labels[found[1]] = found[2]
	}
	return labels
}

// cutSeries parts `name{labels} values`.
func cutSeries(line string) (name, values string) {
	name, values, _ = strings.Cut(line, "} ")
	return name + "}", values
}

// filled are annotations with the system put in.
func filled(annotations map[string]string, system string) map[string]string {
	all := map[string]string{}
	for k, v := range annotations {
		all[k] = strings.ReplaceAll(v, "{{ $labels.system }}", system)
	}
	return all
}
