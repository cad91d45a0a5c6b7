// Package telemetrytest stands in for what telemetry is sent to: a collector, a log.
package telemetrytest

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

// Collector serves until the test ends, hands the path and the body of each request on, and
// is the one that OpenTelemetry's variables name, alone: whoever runs the test may be
// observed as well (Dagger sets them for every container).
func Collector(t testing.TB, each func(path string, body []byte)) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body := io.Reader(r.Body)
		if r.Header.Get("Content-Encoding") == "gzip" {
			unpacked, err := gzip.NewReader(r.Body)
			if err != nil {
				t.Error(err)
				return
			}
			body = unpacked
		}
		text, err := io.ReadAll(body)
		if err != nil {
			t.Error(err)
		}
		each(r.URL.Path, text)
	}))
	t.Cleanup(server.Close)
	for _, variable := range os.Environ() {
		if name, value, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, value) // so that it comes back
			if err := os.Unsetenv(name); err != nil {
				t.Fatal(err)
			}
		}
	}
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", server.URL)
}
