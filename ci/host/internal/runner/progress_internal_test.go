package runner

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/estela-dev/estela/ci/plan"
	"github.com/estela-dev/estela/ci/suite"
)

func TestPlainLines(t *testing.T) {
	t.Parallel()
	unit := plan.Check{
		Name: "unit", Doc: "tests", Dir: "services", Tests: true,
		Command: []string{"go", "test", "-run", "^Test(A|B)$", "it's"},
		Fix:     []string{"go", "fix"},
	}
	vet := plan.Check{Name: "vet", Doc: "no findings"}
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		p := &progress{out: &out}
		tests := func() int { return 34 }
		p.follow(unit, tests, func() suite.Result {
			time.Sleep(61 * time.Second)
			return suite.Result{
				Outcome: suite.Failed, Took: 61 * time.Second,
				Reason: "1 of 35 tests failed", Detail: "--- p TestA: failed\r\n\nboom\n",
			}
		})
		p.follow(unit, tests, func() suite.Result { return suite.Result{Outcome: suite.Passed} })
		none := func() int { return 0 }
		p.follow(vet, none, func() suite.Result { return suite.Result{Outcome: suite.Passed, Detail: "noise"} })
		p.follow(vet, none, func() suite.Result {
			return suite.Result{Outcome: suite.Interrupted, Reason: "interrupted", Detail: "noise"}
		})
		want := `start  unit: tests
...    unit  1m00s  34 tests
FAILED unit  1m01s  1 of 35 tests failed
    | in services: go test -run '^Test(A|B)$' 'it'\''s'
    | --- p TestA: failed
    | 
    | boom
    | to put it right, in services: go fix
start  unit: tests
ok     unit  0.0s  34 tests
start  vet: no findings
ok     vet  0.0s
start  vet: no findings
interrupted vet  0.0s  interrupted
`
		if got := out.String(); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
	})
}
