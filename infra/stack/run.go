package stack

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-gcp/sdk/v8/go/gcp/cloudrunv2"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// The paths and addresses inside a container.
const (
	apiPort   = 8080
	opsListen = "127.0.0.1:9090" // never reachable from outside; what it has goes out by OTLP
)

// otlp is where metrics and traces go to, Google Cloud's own endpoint.
const otlp = "https://telemetry.googleapis.com"

// program is one way to run the image: its command and its settings.
type program struct {
	Image string
	Args  []string
	Env   map[string]string
	// Late are variables whose value is known only once there is what it names.
	Late map[string]pulumi.StringInput
	// Secrets are variables whose value is the newest version of a secret.
	Secrets map[string]string
	// Mounts are secrets that it reads as files.
	Mounts []mount
	CPU    string
	Memory string
	// Of what serves HTTP: requests of an instance at once, most instances, and the time for a request.
	Concurrency, Instances int
	Timeout                string
}

// base is what every program of a system is told.
func base(cfg Config, part string) program {
	return program{
		Image: cfg.Image, Args: []string{part},
		Env:     map[string]string{"ESTELA_LOG_FORMAT": "cloud"},
		Secrets: map[string]string{}, CPU: "1", Memory: "2Gi",
	}
}

// serving are the settings of what serves for long and has the warehouse.
func serving(cfg Config, system, database, part string) program {
	p := base(cfg, part)
	p.observed(cfg, system)
	p.Env["ESTELA_WAREHOUSE"] = database
	p.Env["ESTELA_MEMORY"] = "1GB"
	p.Env["ESTELA_SPILL"] = "256MB" // Cloud Run's disk is the container's memory
	p.Secrets["MOTHERDUCK_TOKEN"] = system + "-" + motherduckToken
	return p
}

// observed are the settings of what serves for long: it has an ops listener, and sends its metrics.
func (p *program) observed(cfg Config, system string) {
	p.Env["ESTELA_OPS_LISTEN"] = opsListen
	p.Env["ESTELA_OTLP_AUTH"] = "google"
	p.Env["OTEL_EXPORTER_OTLP_ENDPOINT"] = otlp
	p.Env["OTEL_SERVICE_NAME"] = "estela-" + p.Args[0]
	p.Env["OTEL_RESOURCE_ATTRIBUTES"] = resource(cfg, system)
}

// variable is one of a container's environment: a value, or a secret whose newest version it is.
type variable struct {
	name   pulumi.String
	value  pulumi.StringPtrInput
	secret pulumi.String
}

// environment is all that a container is told, in the same order each time. The SDK has types of its own for
// it in each kind of container.
func (p *program) environment() (all []variable) {
	for _, name := range slices.Sorted(maps.Keys(p.Env)) {
		all = append(all, variable{name: pulumi.String(name), value: pulumi.String(p.Env[name])})
	}
	for _, name := range slices.Sorted(maps.Keys(p.Late)) {
		all = append(all, variable{name: pulumi.String(name), value: p.Late[name].ToStringOutput().ToStringPtrOutput()})
	}
	for _, name := range slices.Sorted(maps.Keys(p.Secrets)) {
		all = append(all, variable{name: pulumi.String(name), secret: pulumi.String(p.Secrets[name])})
	}
	return all
}

// latest is the version of a secret that a container gets: the newest.
const latest = pulumi.String("latest")

// revisionOf names a revision by all that its template says, so that another template is
// another revision and the same one the same. What is known only later (the account, the
// network) belongs to the system and never changes.
func revisionOf(service string, template *cloudrunv2.ServiceTemplateArgs) string {
	text, _ := json.Marshal(template) // plain values; a map's keys come sorted
	sum := sha256.Sum256(text)
	return service + "-" + hex.EncodeToString(sum[:5])
}

// streamed are the variables of a program that reaches Valkey; two of them are known
// only once there is one.
func (v *valkey) streamed() map[string]pulumi.StringInput {
	return map[string]pulumi.StringInput{
		"ESTELA_REDIS": v.url, "ESTELA_REDIS_CA": v.ca, "ESTELA_REDIS_AUTH": pulumi.String("google"),
	}
}

// resource says in OTEL_RESOURCE_ATTRIBUTES whose metrics are whose. Google refuses one
// without a region.
func resource(cfg Config, system string) string {
	return strings.Join([]string{"service.namespace=" + system, "cloud.region=" + cfg.Region, "gcp.project_id=" + cfg.Project}, ",")
}
