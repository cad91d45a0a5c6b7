// Package telemetrytest keeps tests of telemetry from those who observe the tests.
package telemetrytest

import (
	"os"
	"strings"
	"testing"
)

// Endpoint makes a server the one that OpenTelemetry's variables name, alone: whoever runs
// the test may be observed as well (Dagger sets them for every container).
func Endpoint(t testing.TB, url string) {
	t.Helper()
	for _, variable := range os.Environ() {
		if name, value, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, value) // so that it comes back
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
}
