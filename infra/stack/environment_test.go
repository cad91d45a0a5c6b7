package stack_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
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
		if args := m.text("template", "containers", "[]", "args", "[]") + m.text("template", "template", "containers", "[]", "args", "[]"); args != want {
			t.Errorf("%s runs %q, want %q", m.Name, args, want)
		}
	}
}

// enums are the fields whose values the SDK documents: the file and the struct of the
// arguments, the field, and where our resources have it.
var enums = []struct {
	file, structure, field, kind string
	path                         []string
}{
	{"memorystore/instance.go", "InstanceArgs", "AuthorizationMode", typeInstance, []string{"authorizationMode"}},
	{"memorystore/instance.go", "InstanceArgs", "TransitEncryptionMode", typeInstance, []string{"transitEncryptionMode"}},
	{"memorystore/instance.go", "InstanceArgs", "Mode", typeInstance, []string{"mode"}},
	{"memorystore/instance.go", "InstanceArgs", "NodeType", typeInstance, []string{"nodeType"}},
	{"memorystore/pulumiTypes.go", "InstancePersistenceConfigArgs", "Mode", typeInstance, []string{"persistenceConfig", "mode"}},
	{"memorystore/pulumiTypes.go", "InstancePersistenceConfigAofConfigArgs", "AppendFsync", typeInstance, []string{"persistenceConfig", "aofConfig", "appendFsync"}},
	{"cloudrunv2/service.go", "ServiceArgs", "Ingress", typeService, []string{"ingress"}},
	{"cloudrunv2/pulumiTypes.go", "ServiceTrafficArgs", "Type", typeService, []string{"traffics", "[]", "type"}},
	{"cloudrunv2/pulumiTypes.go", "ServiceTemplateArgs", "ExecutionEnvironment", typeService, []string{"template", "executionEnvironment"}},
	{"cloudrunv2/pulumiTypes.go", "ServiceTemplateVpcAccessArgs", "Egress", typeService, []string{"template", "vpcAccess", "egress"}},
	{"cloudrunv2/pulumiTypes.go", "WorkerPoolTemplateVpcAccessArgs", "Egress", typePool, []string{"template", "vpcAccess", "egress"}},
	{"cloudrunv2/pulumiTypes.go", "JobTemplateTemplateVpcAccessArgs", "Egress", typeJob, []string{"template", "template", "vpcAccess", "egress"}},
	{"storage/bucket.go", "BucketArgs", "PublicAccessPrevention", typeBucket, []string{"publicAccessPrevention"}},
	{"storage/bucket.go", "BucketArgs", "StorageClass", typeBucket, []string{"storageClass"}},
	{"storage/pulumiTypes.go", "BucketLifecycleRuleActionArgs", "Type", typeBucket, []string{"lifecycleRules", "[]", "action", "type"}},
	{"storage/pulumiTypes.go", "BucketLifecycleRuleConditionArgs", "WithState", typeBucket, []string{"lifecycleRules", "[]", "condition", "withState"}},
	{"kms/cryptoKey.go", "CryptoKeyArgs", "Purpose", typeKey, []string{"purpose"}},
	{"artifactregistry/pulumiTypes.go", "RepositoryCleanupPolicyArgs", "Action", typeImages, []string{"cleanupPolicies", "[]", "action"}},
	{"artifactregistry/pulumiTypes.go", "RepositoryCleanupPolicyConditionArgs", "TagState", typeImages, []string{"cleanupPolicies", "[]", "condition", "tagState"}},
	{"monitoring/alertPolicy.go", "AlertPolicyArgs", "Combiner", typeAlert, []string{"combiner"}},
	{"monitoring/alertPolicy.go", "AlertPolicyArgs", "Severity", typeAlert, []string{"severity"}},
	{"monitoring/pulumiTypes.go", "AlertPolicyConditionConditionThresholdArgs", "Comparison", typeAlert, []string{"conditions", "[]", "conditionThreshold", "comparison"}},
	{"monitoring/pulumiTypes.go", "AlertPolicyConditionConditionThresholdAggregationArgs", "PerSeriesAligner", typeAlert, []string{"conditions", "[]", "conditionThreshold", "aggregations", "[]", "perSeriesAligner"}},
	{"monitoring/pulumiTypes.go", "AlertPolicyConditionConditionThresholdAggregationArgs", "CrossSeriesReducer", typeAlert, []string{"conditions", "[]", "conditionThreshold", "aggregations", "[]", "crossSeriesReducer"}},
	{"monitoring/pulumiTypes.go", "UptimeCheckConfigHttpCheckArgs", "RequestMethod", typeUptime, []string{"httpCheck", "requestMethod"}},
	{"billing/pulumiTypes.go", "BudgetThresholdRuleArgs", "SpendBasis", "gcp:billing/budget:Budget", []string{"thresholdRules", "[]", "spendBasis"}},
	{"billing/pulumiTypes.go", "BudgetBudgetFilterArgs", "CalendarPeriod", "gcp:billing/budget:Budget", []string{"budgetFilter", "calendarPeriod"}},
}

// Values of fields that are enums without a type are those that the SDK's own
// documentation lists.
func TestEnumsAreDocumented(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/pulumi/pulumi-gcp/sdk/v8").Output()
	if err != nil {
		t.Fatal(err)
	}
	sdk := filepath.Join(strings.TrimSpace(string(out)), "go", "gcp")
	parsed := map[string]*ast.File{}
	all := append(slices.Clone(stacks(t)["production"]), stacks(t)["foundation"]...)
	for _, e := range enums {
		if parsed[e.file] == nil {
			if parsed[e.file], err = parser.ParseFile(token.NewFileSet(), filepath.Join(sdk, e.file), nil, parser.ParseComments|parser.SkipObjectResolution); err != nil {
				t.Fatal(err)
			}
		}
		doc := fieldDoc(parsed[e.file], e.structure, e.field)
		if doc == "" {
			t.Errorf("%s: %s.%s has no documentation", e.file, e.structure, e.field)
		}
		found := 0
		for _, m := range all {
			if m.Type != e.kind {
				continue
			}
			for _, v := range at(resource.NewProperty(m.Inputs), e.path...) {
				found++
				if !regexp.MustCompile(`\b` + regexp.QuoteMeta(v.StringValue()) + `\b`).MatchString(doc) {
					t.Errorf("%s %s: %v is %q, documented is:\n%s", m.Type, m.Name, e.path, v.StringValue(), doc)
				}
			}
		}
		if found == 0 {
			t.Errorf("no %s has %v", e.kind, e.path)
		}
	}
}

// fieldDoc is the comment on a field of a struct.
func fieldDoc(file *ast.File, structure, field string) (doc string) {
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.TypeSpec)
		if !ok || spec.Name.Name != structure {
			return true
		}
		s, ok := spec.Type.(*ast.StructType)
		if !ok {
			return false
		}
		for _, f := range s.Fields.List {
			if len(f.Names) == 1 && f.Names[0].Name == field {
				doc = f.Doc.Text()
			}
		}
		return false
	})
	return doc
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
