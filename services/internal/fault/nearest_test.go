package fault_test

import (
	"testing"

	"github.com/estela-dev/estela/services/internal/fault"
)

func TestDidYouMean(t *testing.T) {
	t.Parallel()
	names := []string{"canary", "flights", "flights/delays", "list", "test"}
	for name, want := range map[string]string{
		"flihgts":       ` (did you mean "flights"?)`,
		"Flights":       ` (did you mean "flights"?)`,
		"flights/delay": ` (did you mean "flights/delays"?)`,
		"lsit":          ` (did you mean "list"?)`,
		"lst":           ` (did you mean "list"?)`,
		"orders":        "",
		"x":             "",
		"":              "",
	} {
		if got := fault.DidYouMean(name, names); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
