package stack_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/monitoring/dashboard/apiv1/dashboardpb"
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/estela-dev/estela/infra/observability"
	"github.com/estela-dev/estela/infra/stack"
)

var update = flag.Bool("update", false, "write the golden files anew")

// What each committed stack consists of, to be read when it changes.
func TestGolden(t *testing.T) {
	t.Parallel()
	for name, all := range stacks(t) {
		var b bytes.Buffer
		for _, m := range all {
			inputs, err := json.MarshalIndent(plain(resource.NewProperty(m.Inputs)), "  ", "  ")
			if err != nil {
				t.Fatal(err)
			}
			protect := ""
			if m.Protect {
				protect = ", protected"
			}
			parent := m.Parent[strings.LastIndex(m.Parent, "::")+2:]
			fmt.Fprintf(&b, "%s %s (in %s%s)\n", m.Type, m.Name, parent, protect)
			if name == "foundation" || name == "production" { // the others differ in names and numbers
				fmt.Fprintf(&b, "  %s\n", inputs)
			}
		}
		file := filepath.Join("testdata", strings.ReplaceAll(name, ", ", "-")+".golden")
		if *update {
			if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("%v: run go test ./stack -update", err)
		}
		if !bytes.Equal(b.Bytes(), want) {
			t.Errorf("%s is another stack than %s says: run go test ./stack -update and read the difference", name, file)
		}
	}
}

// plain is a value without Pulumi's wrapping.
func plain(v resource.PropertyValue) any {
	switch {
	case v.IsOutput():
		return plain(v.OutputValue().Element)
	case v.IsSecret():
		return "[secret]"
	case v.IsObject():
		all := map[string]any{}
		for key, value := range v.ObjectValue() {
			if !strings.HasPrefix(string(key), "__") {
				all[string(key)] = plain(value)
			}
		}
		return all
	case v.IsArray():
		all := []any{}
		for _, value := range v.ArrayValue() {
			all = append(all, plain(value))
		}
		return all
	default:
		return v.V
	}
}

// find is the only resource of a type, or of a part of the system.
func find(t *testing.T, all []made, kind string) made {
	t.Helper()
	found := slices.DeleteFunc(slices.Clone(all), func(m made) bool { return !m.isA(kind) })
	if len(found) != 1 {
		t.Fatalf("%d of %s", len(found), kind)
	}
	return found[0]
}

// A deployment as package rollout of ci makes one: what it is told at each step, and
// that the same config always names the same revision.
func TestDeployment(t *testing.T) {
	t.Parallel()
	base := committed(t, "staging")
	step := func(changes ...string) (template string, traffic []string, running string, out map[string]any) {
		c := &cloud{endpoint: true}
		out, err := run(t, c, "staging", with(base, changes...))
		if err != nil {
			t.Fatal(err)
		}
		service := find(t, c.made, typeAPI)
		for _, v := range at(resource.NewProperty(service.Inputs), "traffics", "[]") {
			o := v.ObjectValue()
			traffic = append(traffic, fmt.Sprintf("%v%% %s", o["percent"].V, o["revision"].StringValue()))
		}
		return service.text("template", "revision"), traffic, find(t, c.made, typePool).images()[0] + " " + find(t, c.made, typeIngest).images()[0], out
	}
	first, traffic, running, out := step("estela:image", imageA)
	if !slices.Equal(traffic, []string{"100% " + first}) || out["image"] != imageA || out["url"] != "https://estela-staging-api.a.run.app" || out["candidateUrl"] != "" ||
		running != imageA+" "+imageA || out["ingestImage"] != imageA {
		t.Errorf("first: %v %v, run %s", traffic, out, running)
	}
	second, traffic, running, out := step("estela:image", imageA, "estela:candidate", imageB, "estela:previous", imageA)
	if !slices.Equal(traffic, []string{"100% " + first, "0% " + second}) || second == first || running != imageA+" "+imageA ||
		out["candidateUrl"] != "https://candidate---estela-staging-api.a.run.app" || out["url"] == out["candidateUrl"] || out["previous"] != imageA {
		t.Errorf("candidate: %s %v, run %s, %v", second, traffic, running, out)
	}
	promoted, traffic, running, out := step("estela:image", imageB, "estela:previous", imageA, "estela:ingestImage", imageA)
	if promoted != second || !slices.Equal(traffic, []string{"100% " + second}) || running != imageB+" "+imageA || out["candidateUrl"] != "" || out["image"] != imageB || out["ingestImage"] != imageA {
		t.Errorf("promoted: %s %v, run %s, %v", promoted, traffic, running, out)
	}
	if same, _, running, out := step("estela:image", imageB, "estela:previous", imageA); same != promoted || running != imageB+" "+imageB || out["ingestImage"] != imageB {
		t.Errorf("ingest follows: %s, run %s, %v", same, running, out)
	}
	if back, _, _, _ := step("estela:image", imageA, "estela:previous", imageA); back != first {
		t.Errorf("the way back makes %s of what was %s", back, first)
	}
	if slos, ok := out["slos"].([]string); !ok || len(slos) != 7 || !strings.HasPrefix(slos[0], "projects/estela-example/services/estela-staging/serviceLevelObjectives/") {
		t.Errorf("slos are %v", out["slos"])
	}
	// How it ends is recorded as the system's.
	if whose, ok := out["resources"].([]string); !ok || !slices.Equal(whose, []string{"service.namespace=estela-staging,cloud.region=southamerica-west1,gcp.project_id=estela-example"}) {
		t.Errorf("resources are %v", out["resources"])
	}
	// Another setting is another revision, whether of the container or around it.
	for key, value := range map[string]string{"estela:warehouse": "md:other", "estela:maxInstances": "3", "gcp:region": "us-central1"} {
		if other, _, _, _ := step("estela:image", imageA, key, value); other == first {
			t.Errorf("a revision with another %s has the same name", key)
		}
	}
	if len(first) > 63 || !strings.HasPrefix(first, "estela-staging-api-") {
		t.Errorf("revision %q", first)
	}
}

// Without an image there is the platform alone, and the outputs that a first deployment
// reads.
func TestEmptyApp(t *testing.T) {
	t.Parallel()
	c := &cloud{endpoint: true}
	out, err := run(t, c, "staging", committed(t, "staging"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range c.made {
		if is(m, typeService, typePool, typeJob) {
			t.Errorf("there is a %s", m.Type)
		}
	}
	if out["image"] != "" || out["url"] != "" || out["ingestImage"] != "" {
		t.Errorf("outputs %v", out)
	}
}

// The config that is committed names no image: what serves is what the stack said last.
func TestUpByHandKeepsTheImage(t *testing.T) {
	t.Parallel()
	c := &cloud{endpoint: true, last: map[string]any{"image": imageA}}
	out, err := run(t, c, "staging", committed(t, "staging"))
	if err != nil {
		t.Fatal(err)
	}
	if got := find(t, c.made, typePool).images()[0]; got != imageA || out["image"] != imageA {
		t.Errorf("the worker runs %s, the output says %s", got, out["image"])
	}
	find(t, c.made, typeAPI)
	find(t, c.made, typeIngest)
}

// Where events are not taken by POST, nothing of it is there: no service, account or right, objective or alert.
func TestIngestIsOptional(t *testing.T) {
	t.Parallel()
	c := &cloud{endpoint: true}
	out, err := run(t, c, "staging", with(committed(t, "staging"), "estela:image", imageA, "estela:ingest", ""))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range c.made {
		if strings.Contains(m.Name+" "+m.text("displayName"), "ingest") || strings.Contains(m.Name, "streamfull") || strings.Contains(m.text("dashboardJson"), "ingest") {
			t.Errorf("there is %s %s", m.Type, m.Name)
		}
	}
	if slos, ok := out["slos"].([]string); !ok || len(slos) != 5 || out["ingestImage"] != "" {
		t.Errorf("outputs %v", out)
	}
}

// Signed tokens need their JWK set: a secret that the API alone reads, as a file whose path it is told.
func TestSignedTokens(t *testing.T) {
	t.Parallel()
	all := resources(t, "staging", with(committed(t, "staging"), "estela:image", imageA, "estela:jwks", "true"))
	for _, m := range all {
		for policy, says := range broken(m) {
			t.Errorf("%s %s breaks %q: %s", m.Type, m.Name, policy, says)
		}
		reads := strings.Contains(m.text("template", "volumes", "[]", "secret", "secret")+m.text("secretId"), "token-keys")
		if reads && is(m, typeService, typeReader) && !strings.HasPrefix(m.Name, "estela-staging-api") {
			t.Errorf("%s reads the JWK set", m.Name)
		}
	}
	api := find(t, all, typeAPI)
	file := api.variable("ESTELA_TOKEN_KEYS")
	if !strings.HasSuffix(file, "/keys.json") || !slices.Contains(strings.Fields(api.text("template", "containers", "[]", "volumeMounts", "[]", "mountPath")), filepath.Dir(file)) ||
		file == api.variable("ESTELA_KEYS") {
		t.Errorf("the JWK set is expected in %q", file)
	}
	find(t, all, typeSecret+"#token-keys")
	find(t, all, typeReader+"#api-reads-token-keys")
}

// The service that takes events by POST waits for the worker, which must store a contract before events of it are taken.
func TestIngestFollowsTheWorker(t *testing.T) {
	t.Parallel()
	c := &cloud{endpoint: true}
	if _, err := run(t, c, "staging", with(committed(t, "staging"), "estela:image", imageA)); err != nil {
		t.Fatal(err)
	}
	worker, ingest := find(t, c.made, typePool), find(t, c.made, typeIngest)
	if !slices.ContainsFunc(ingest.DependsOn, func(urn string) bool { return strings.HasSuffix(urn, worker.Type+"::"+worker.Name) }) {
		t.Errorf("it waits for %v", ingest.DependsOn)
	}
}

// Every cause of slo.yaml is told of on Google Cloud too, by the label that systems have
// there.
func TestCausesAreTold(t *testing.T) {
	t.Parallel()
	file, err := observability.Load()
	if err != nil {
		t.Fatal(err)
	}
	queries := map[string]string{}
	for _, m := range stacks(t)["fleet"] {
		if is(m, typeAlert) && strings.HasPrefix(m.Name, "cause-") {
			queries[m.text("conditions", "[]", "conditionPrometheusQueryLanguage", "alertRule")] = m.text("conditions", "[]", "conditionPrometheusQueryLanguage", "query")
		}
	}
	for _, c := range file.Causes {
		query := queries["Estela"+c.Name]
		if query == "" || strings.Contains(query, "system") || strings.Contains(c.Expr, "by (system") != strings.Contains(query, "by (namespace") {
			t.Errorf("%s: %q", c.Name, query)
		}
	}
	if len(queries) != len(file.Causes) {
		t.Errorf("%d alerts of %d causes", len(queries), len(file.Causes))
	}
}

// A Valkey that can't be reached is an error that says what to do, not a worker that
// fails later.
func TestValkeyWithoutEndpoint(t *testing.T) {
	t.Parallel()
	_, err := run(t, &cloud{}, "staging", with(committed(t, "staging"), "estela:image", imageA))
	if err == nil || !strings.Contains(err.Error(), "pulumi refresh") {
		t.Errorf("%v", err)
	}
}

// A first preview knows no address yet, and asks nobody.
func TestPreview(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"foundation", "staging", "production"} {
		values := committed(t, name)
		if name != "foundation" {
			values = with(values, "estela:image", imageA, "estela:candidate", imageB)
		}
		err := pulumi.RunErr(func(ctx *pulumi.Context) error { return stack.Program(ctx, values) },
			pulumi.WithMocks("estela", name, &cloud{endpoint: true}), func(info *pulumi.RunInfo) { info.DryRun = true })
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Whatever the cloud refuses, the program says so and doesn't panic.
func TestEveryResourceMayFail(t *testing.T) {
	t.Parallel()
	for name, values := range map[string]map[string]string{
		"foundation": committed(t, "foundation"),
		"production": with(committed(t, "production"), "estela:image", imageA, "estela:candidate", imageB),
	} {
		whole := &cloud{endpoint: true}
		if _, err := run(t, whole, name, values); err != nil {
			t.Fatal(err)
		}
		for n := 1; n <= len(whole.made); n++ {
			if _, err := run(t, &cloud{endpoint: true, failNth: n}, name, values); err == nil || !strings.Contains(err.Error(), "the cloud says no") {
				t.Errorf("%s, resource %d: %v", name, n, err)
			}
		}
	}
}

// Each system of a fleet has what one alone has; they share the network.
func TestFleet(t *testing.T) {
	t.Parallel()
	all := stacks(t)
	count := func(stack, kind string) int {
		return len(slices.DeleteFunc(slices.Clone(all[stack]), func(m made) bool { return m.Type != kind }))
	}
	for _, kind := range []string{typeInstance, typeService, typePool, typeJob, typeSecret, typeSLO, typeSchedule} {
		if one, three := count("production", kind), count("fleet", kind); one == 0 || three != 3*one {
			t.Errorf("%d %s of one system, %d of three", one, kind, three)
		}
	}
	if n := count("fleet", typeNetwork); n != 1 {
		t.Errorf("%d networks", n)
	}
	databases := map[string]bool{}
	for _, m := range all["fleet"] {
		if is(m, typePool) {
			_, values := m.environment()
			databases[values[strings.Index(values, "md:"):][:strings.IndexByte(values[strings.Index(values, "md:"):], ' ')]] = true
		}
	}
	if len(databases) != 3 || !databases["md:estela_lima"] {
		t.Errorf("databases %v", databases)
	}
}

// The dashboards are such as Cloud Monitoring takes.
func TestDashboards(t *testing.T) {
	t.Parallel()
	for name, tiles := range map[string]int{"production": 7, "fleet": 21} {
		m := find(t, stacks(t)[name], "gcp:monitoring/dashboard:Dashboard")
		var d dashboardpb.Dashboard
		if err := protojson.Unmarshal([]byte(m.text("dashboardJson")), &d); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if n := len(d.GetMosaicLayout().GetTiles()); n != tiles {
			t.Errorf("%s has %d tiles", name, n)
		}
	}
}
