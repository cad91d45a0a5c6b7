package stack_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Every variable that a container is given is one that its program reads, and every
// argument a command.
func TestContainersAreToldWhatTheyRead(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../services/cmd/estela/testdata/environment.txt")
	if err != nil {
		t.Fatal(err)
	}
	known := strings.Fields(string(text))
	// Those that OpenTelemetry's SDK reads.
	known = append(known, "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES")
	for _, m := range stacks(t)["production"] {
		names, _ := m.environment()
		for name := range strings.FieldsSeq(names) {
			if !slices.Contains(known, name) {
				t.Errorf("%s is given %s, which nothing reads", m.Name, name)
			}
		}
		want := map[string]string{typeService: "api", typePool: "worker", typeJob: "smoke"}[m.Type]
		if m.isA(typeIngest) {
			want = "ingest"
		}
		if args := m.text("template", "containers", "[]", "args", "[]") + m.text("template", "template", "containers", "[]", "args", "[]"); args != want {
			t.Errorf("%s runs %q, want %q", m.Name, args, want)
		}
	}
}

// The version asked for by the resources that are registered by token is the SDK's.
func TestProviderVersion(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile("../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("network.go")
	if err != nil {
		t.Fatal(err)
	}
	version := regexp.MustCompile(`pulumi-gcp/sdk/v8 v(\S+)`).FindSubmatch(mod)
	if version == nil || !strings.Contains(string(source), `providerVersion = "`+string(version[1])+`"`) {
		t.Errorf("go.mod has %s", version)
	}
}

// The heavy package stays out: see the package's documentation.
func TestComputeIsNotImported(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "..").Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "sdk/v8/go/gcp/compute") {
		t.Error("pulumi-gcp's compute is imported")
	}
}
