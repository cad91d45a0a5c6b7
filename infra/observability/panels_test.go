package observability_test

import (
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/estela-dev/estela/infra/observability/exposition"
	"github.com/estela-dev/estela/infra/observability/prometheus"
)

// deployed is what deployments send, which no service exposes.
const deployed = "\n# TYPE estela_deployment_success gauge\nestela_deployment_success 1\n"

// recorded are three hours of what some systems would have shown, up to now: counters grow, gauges stay.
func recorded(t *testing.T, systems []string) (hours [][]prometheus.Series) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", exposition.Path))
	if err != nil {
		t.Fatal(err)
	}
	exposed, err := exposition.Read(append(text, deployed...))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(time.Minute)
	for m := -180; m <= 0; m++ {
		if m%60 == 0 {
			hours = append(hours, nil)
		}
		for _, e := range exposed {
			v := e.Value
			if e.Kind != "gauge" {
				v = (e.Value + 1) * float64(m+200)
			}
			for _, system := range systems {
				labels := map[string]string{"__name__": e.Name, "system": system, "instance": "i"}
				maps.Copy(labels, e.Labels)
				at := prometheus.Sample{At: now.Add(time.Duration(m) * time.Minute), Value: v}
				last := len(hours) - 1
				hours[last] = append(hours[last], prometheus.Series{Labels: labels, Samples: []prometheus.Sample{at}})
			}
		}
	}
	return hours
}

// serve is a Prometheus with what was recorded and the rules, until the test ends.
func serve(t *testing.T, systems ...string) *prometheus.Server {
	t.Helper()
	s, err := prometheus.Start(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if log := s.Stop(); t.Failed() {
			t.Log(log)
		}
	})
	for _, hour := range recorded(t, systems) {
		if err := s.Write(t.Context(), hour); err != nil {
			t.Fatal(err)
		}
	}
	rules, err := os.ReadFile("generated/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Rules(t.Context(), string(rules), time.Second); err != nil {
		t.Fatal(err)
	}
	return s
}

// Every panel of every dashboard shows something of what the services expose.
func TestNoPanelIsEmpty(t *testing.T) {
	t.Parallel()
	s, f := serve(t, "lima", "bogota"), load(t)
	last, deadline := "estela:slo_budget:remaining", time.Now().Add(time.Minute)
	// Groups of rules are evaluated apart: that one is there does not say that another is.
	count := func(expr string, enough func(n int) bool) (n int, err error) {
		for n, err = s.Count(t.Context(), expr); (err != nil || !enough(n)) && time.Now().Before(deadline); n, err = s.Count(t.Context(), expr) {
			time.Sleep(200 * time.Millisecond)
		}
		return n, err
	}
	if n, err := count(last, func(n int) bool { return n == 16 }); n != 16 {
		t.Fatalf("%d series of %s, want eight objectives of two systems: %v", n, last, err)
	}
	for _, systems := range []string{".*", "lima"} {
		panels := f.Panels(systems)
		if len(panels) < 25 {
			t.Errorf("%d panels only", len(panels))
		}
		for _, p := range panels {
			if n, err := count(p.Expr, func(n int) bool { return n > 0 }); err != nil || n == 0 {
				t.Errorf("%s is empty for the systems %s (%v): %s", p.Name, systems, err, p.Expr)
			}
		}
	}
}
