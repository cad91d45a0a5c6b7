package doc_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	objectiveInGo   = regexp.MustCompile(`\{\s*"([a-z-]+)", "([^"]+)", ([0-9.]+),`)
	objectiveInYAML = regexp.MustCompile(`(?m)^  - name: ([a-z-]+)\n    title: (.*)\n(?:    part: .*\n)?    objective: ([0-9.]+)\n`)
)

// What a process shows of the objectives is what is promised.
func TestObjectivesAreThePromisedOnes(t *testing.T) {
	t.Parallel()
	var promised []string
	for _, o := range objectiveInYAML.FindAllStringSubmatch(read(t, "infra/observability/slo.yaml"), -1) {
		promised = append(promised, strings.Join(o[1:], "; "))
	}
	shown := objectiveInGo.FindAllStringSubmatch(read(t, "services/internal/telemetry/objective.go"), -1)
	for _, o := range shown {
		if one := strings.Join(o[1:], "; "); !slices.Contains(promised, one) {
			t.Errorf("%q is not promised by slo.yaml: %q", one, promised)
		}
	}
	if len(shown) < 5 || len(promised) < 5 {
		t.Errorf("found %q and %q", shown, promised)
	}
}
