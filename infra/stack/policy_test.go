package stack_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// policy is a rule that every resource of every stack obeys.
type policy struct {
	name string
	// check says what is wrong with a resource; empty: nothing.
	check func(m made) string
}

// at is the value at a path of keys and of [] for every element of a list.
func at(v resource.PropertyValue, path ...string) []resource.PropertyValue {
	for v.IsOutput() || v.IsSecret() {
		if v.IsOutput() {
			v = v.OutputValue().Element
		} else {
			v = v.SecretValue().Element
		}
	}
	if len(path) == 0 {
		return []resource.PropertyValue{v}
	}
	var found []resource.PropertyValue
	switch {
	case path[0] == "[]" && v.IsArray():
		for _, e := range v.ArrayValue() {
			found = append(found, at(e, path[1:]...)...)
		}
	case v.IsObject():
		if next, ok := v.ObjectValue()[resource.PropertyKey(path[0])]; ok {
			found = at(next, path[1:]...)
		}
	}
	return found
}

// text is the value at a path, as text; empty if there is none.
func (m made) text(path ...string) string {
	var all []string
	for _, v := range at(resource.NewProperty(m.Inputs), path...) {
		all = append(all, fmt.Sprint(v.V))
	}
	return strings.Join(all, " ")
}

// is limits a policy to some types.
func is(m made, types ...string) bool { return slices.ContainsFunc(types, m.isA) }

// isA reports whether a resource is of a type, TYPE#SUFFIX if its name has to end so.
func (m made) isA(kind string) bool {
	kind, suffix, _ := strings.Cut(kind, "#")
	return m.Type == kind && strings.HasSuffix(m.Name, suffix)
}

const (
	typeInstance = "gcp:memorystore/instance:Instance"
	typeService  = "gcp:cloudrunv2/service:Service"
	typeAPI      = typeService + "#-api"
	typeIngest   = typeService + "#-ingest"
	typePool     = "gcp:cloudrunv2/workerPool:WorkerPool"
	typeJob      = "gcp:cloudrunv2/job:Job"
	typeSecret   = "gcp:secretmanager/secret:Secret"
	typeReader   = "gcp:secretmanager/secretIamMember:SecretIamMember"
	typeBucket   = "gcp:storage/bucket:Bucket"
	typeKey      = "gcp:kms/cryptoKey:CryptoKey"
	typeRing     = "gcp:kms/keyRing:KeyRing"
	typeImages   = "gcp:artifactregistry/repository:Repository"
	typeProvider = "gcp:iam/workloadIdentityPoolProvider:WorkloadIdentityPoolProvider"
	typeAccount  = "gcp:serviceaccount/iAMMember:IAMMember"
	typeProject  = "gcp:projects/iAMMember:IAMMember"
	typeSubnet   = "gcp:compute/subnetwork:Subnetwork"
	typeNetwork  = "gcp:compute/network:Network"
	typeAlert    = "gcp:monitoring/alertPolicy:AlertPolicy"
	typeUptime   = "gcp:monitoring/uptimeCheckConfig:UptimeCheckConfig"
	typeSLO      = "gcp:monitoring/slo:Slo"
	typeRole     = "gcp:projects/iAMCustomRole:IAMCustomRole"
	typeSchedule = "gcp:cloudscheduler/job:Job"
)

func wrong(bad bool, format string, args ...any) string {
	if bad {
		return fmt.Sprintf(format, args...)
	}
	return ""
}

// images are where a resource names one.
func (m made) images() []string {
	path := map[string][]string{
		typeService: {"template", "containers", "[]", "image"},
		typePool:    {"template", "containers", "[]", "image"},
		typeJob:     {"template", "template", "containers", "[]", "image"},
	}[m.Type]
	if path == nil {
		return nil
	}
	return strings.Fields(m.text(path...))
}

// environment are the plain variables of a resource's containers.
func (m made) environment() (names, values string) {
	for _, prefix := range [][]string{{"template", "containers", "[]", "envs", "[]"}, {"template", "template", "containers", "[]", "envs", "[]"}} {
		names += " " + m.text(append(slices.Clone(prefix), "name")...)
		values += " " + m.text(append(slices.Clone(prefix), "value")...)
	}
	return names, values
}

// variable is the value of one of the container's variables.
func (m made) variable(name string) string {
	for _, path := range [][]string{env, append([]string{"template"}, env...)} {
		for _, v := range at(resource.NewProperty(m.Inputs), path...) {
			if v.ObjectValue()["name"].StringValue() == name {
				return fmt.Sprint(at(v, "value")[0].V)
			}
		}
	}
	return ""
}

// labelled are the types that take labels, and under which name.
var labelled = map[string]string{
	typeInstance: "labels", typeService: "labels", typePool: "labels", typeJob: "labels", typeSecret: "labels", typeBucket: "labels",
	typeKey: "labels", typeImages: "labels", typeAlert: "userLabels", typeUptime: "userLabels", typeSLO: "userLabels",
	"gcp:networkconnectivity/serviceConnectionPolicy:ServiceConnectionPolicy": "labels",
	"gcp:monitoring/customService:CustomService":                              "userLabels",
	"gcp:monitoring/notificationChannel:NotificationChannel":                  "userLabels",
}

// The roles that an account may have in the project, and under which condition.
var grantedRoles = regexp.MustCompile(`^roles/(run\.(admin|viewer)|cloudscheduler\.(admin|viewer)|memorystore\.(admin|viewer|dbConnectionUser)|` +
	`compute\.network(Admin|Viewer)|networkconnectivity\.consumerNetwork(Admin|Viewer)|secretmanager\.viewer|` +
	`iam\.(serviceAccountAdmin|serviceAccountUser|securityReviewer)|monitoring\.(editor|viewer|metricWriter)|telemetry\.(writer|metricsWriter)|cloudtrace\.agent|` +
	`resourcemanager\.projectIamAdmin)$|^projects/estela-example/roles/estelaSecretKeeper$`)

var policies = []policy{
	{"no one is everyone, but for the services when they are public", func(m made) string {
		who := m.text("member") + m.text("members", "[]")
		open := strings.Contains(who, "allUsers") || strings.Contains(who, "allAuthenticatedUsers")
		public := m.Type == invoker && who == "allUsers" && m.text("role") == "roles/run.invoker"
		return wrong(open && !public,
			"%s has %s", who, m.text("role"))
	}},
	{"no basic roles", func(m made) string {
		return wrong(slices.Contains([]string{"roles/owner", "roles/editor", "roles/viewer"}, m.text("role")), "role %s", m.text("role"))
	}},
	{"project roles are the few that are needed", func(m made) string {
		return wrong(is(m, typeProject) && !grantedRoles.MatchString(m.text("role")), "role %s", m.text("role"))
	}},
	{"roles of our own read no secret", func(m made) string {
		return wrong(m.Type == typeRole && (strings.Contains(m.text("permissions", "[]"), "versions.access") || strings.Contains(m.text("permissions", "[]"), "*")), "%s", m.text("permissions", "[]"))
	}},
	{"rights are added, never replaced", func(m made) string {
		return wrong(regexp.MustCompile(`(?i)iam(Binding|Policy):`).MatchString(m.Type), "%s takes rights from others", m.Type)
	}},
	{"the right to grant is limited to the runtime's roles", func(m made) string {
		return wrong(is(m, typeProject) && m.text("role") == "roles/resourcemanager.projectIamAdmin" &&
			!regexp.MustCompile(`modifiedGrantsByRole', \[\]\)\.hasOnly\(\['roles/[^\]]*'\]\)$`).MatchString(m.text("condition", "expression")),
			"condition %q", m.text("condition", "expression"))
	}},
	{"who logs in to Valkey logs in to one", func(m made) string {
		return wrong(is(m, typeProject) && m.text("role") == "roles/memorystore.dbConnectionUser" &&
			!strings.HasPrefix(m.text("condition", "expression"), "resource.name == \"projects/"), "condition %q", m.text("condition", "expression"))
	}},
	{"service accounts have no keys", func(m made) string {
		return wrong(strings.HasPrefix(m.Type, "gcp:serviceaccount/key:"), "a key")
	}},
	{"secrets have no value here", func(m made) string {
		return wrong(strings.Contains(m.Type, "secretVersion") || m.text("secretData") != "", "a secret's value")
	}},
	{"nothing secret is a plain variable", func(m made) string {
		names, values := m.environment()
		plain := regexp.MustCompile(`(?i)estela_[A-Z2-7]{20,}|eyJ[a-z0-9_-]{10,}\.|ya29\.|PRIVATE KEY`).FindString(values)
		for _, name := range []string{"MOTHERDUCK_TOKEN", "ESTELA_SMOKE_TOKEN"} {
			for _, path := range [][]string{{"template", "containers", "[]", "envs", "[]"}, {"template", "template", "containers", "[]", "envs", "[]"}} {
				for _, v := range at(resource.NewProperty(m.Inputs), path...) {
					if v.ObjectValue()["name"].StringValue() == name && v.ObjectValue()["value"].IsString() {
						plain = name
					}
				}
			}
		}
		return wrong(plain != "", "%q among %s", plain, names)
	}},
	{"Valkey asks for identity and encrypts", func(m made) string {
		return wrong(is(m, typeInstance) && (m.text("authorizationMode") != "IAM_AUTH" || m.text("transitEncryptionMode") != "SERVER_AUTHENTICATION"),
			"%s, %s", m.text("authorizationMode"), m.text("transitEncryptionMode"))
	}},
	{"Valkey evicts nothing and writes down what it takes", func(m made) string {
		return wrong(is(m, typeInstance) && (m.text("engineConfigs", "maxmemory-policy") != "noeviction" || m.text("persistenceConfig", "mode") != "AOF"),
			"%s, %s", m.text("engineConfigs", "maxmemory-policy"), m.text("persistenceConfig", "mode"))
	}},
	{"Valkey is one node, as the streams are read", func(m made) string {
		return wrong(is(m, typeInstance) && (m.text("mode") != "CLUSTER_DISABLED" || m.text("shardCount") != "1"), "%s, %s shards", m.text("mode"), m.text("shardCount"))
	}},
	{"the services reach Valkey encrypted, as themselves", func(m made) string {
		names, values := m.environment()
		uses := strings.Contains(names, "ESTELA_REDIS")
		return wrong(uses && (!strings.HasPrefix(m.variable("ESTELA_REDIS"), "rediss://") || !strings.Contains(names, "ESTELA_REDIS_CA") || m.variable("ESTELA_REDIS_AUTH") != "google"), "%s: %s", names, values)
	}},
	{"each service has the warehouse or the streams, as it needs", func(m made) string {
		names, _ := m.environment()
		warehouse, streams := strings.Contains(names, "ESTELA_WAREHOUSE") || strings.Contains(names, "MOTHERDUCK_TOKEN"), strings.Contains(names, "ESTELA_REDIS")
		return wrong(is(m, typeAPI) && (!warehouse || streams) || is(m, typeIngest) && (warehouse || !streams), "%s", names)
	}},
	{"the warehouse's token is the worker's and the API's alone", func(m made) string {
		return wrong(is(m, typeReader) && strings.HasSuffix(m.text("secretId"), "motherduck-token") &&
			!regexp.MustCompile(`-(worker|api)@`).MatchString(m.text("member")), "%s reads it", m.text("member"))
	}},
	{"what holds data can't be deleted", func(m made) string {
		flag := map[string]string{typeInstance: "deletionProtectionEnabled", typeSecret: "deletionProtection"}[m.Type]
		holds := flag != "" || is(m, typeBucket, typeKey, typeRing, typeImages)
		return wrong(holds && (!m.Protect || flag != "" && m.text(flag) != "true"), "protect %v, %s %s", m.Protect, flag, m.text(flag))
	}},
	{"images are pinned by digest", func(m made) string {
		loose := slices.DeleteFunc(m.images(), func(image string) bool { return regexp.MustCompile(`@sha256:[0-9a-f]{64}$`).MatchString(image) })
		return wrong(len(loose) > 0 || is(m, typeService, typePool, typeJob) && len(m.images()) == 0, "images %q", loose)
	}},
	{"what can be labelled is", func(m made) string {
		key, can := labelled[m.Type]
		return wrong(can && (m.text(key, "app") != "estela" || m.text(key, "stack") == "" || m.text(key, "managed-by") != "pulumi"), "labels %v", m.Inputs[resource.PropertyKey(key)])
	}},
	{"everything says whose it is", func(m made) string {
		_, can := m.Inputs["project"]
		return wrong(can && m.text("project") != "estela-example", "project %q", m.text("project"))
	}},
	{"federation trusts one repository's environments, no pull request", func(m made) string {
		condition := m.text("attributeCondition")
		return wrong(is(m, typeProvider) && (!strings.Contains(condition, "assertion.repository == 'estela-dev/estela'") ||
			!regexp.MustCompile(`assertion\.repository_id == '[1-9][0-9]*'`).MatchString(condition) || !strings.Contains(condition, "!assertion.event_name.startsWith('pull_request')") || !regexp.MustCompile(`assertion\.sub in \['repo:[^*]+\]`).MatchString(condition) ||
			strings.Contains(condition, ":pull_request'") || m.text("oidc", "issuerUri") != "https://token.actions.githubusercontent.com"), "condition %q", condition)
	}},
	{"an account is lent to one environment at a time", func(m made) string {
		return wrong(is(m, typeAccount) && !regexp.MustCompile(`^principal://iam\.googleapis\.com/.+/subject/repo:[^:*]+:environment:[A-Za-z0-9_-]+$`).MatchString(m.text("member")), "member %q", m.text("member"))
	}},
	{"the state is private and keeps its past", func(m made) string {
		return wrong(is(m, typeBucket) && (m.text("publicAccessPrevention") != "enforced" || m.text("uniformBucketLevelAccess") != "true" ||
			m.text("versioning", "enabled") != "true" || m.text("forceDestroy") == "true"), "%v", m.Inputs)
	}},
	{"keys are exchanged", func(m made) string {
		return wrong(is(m, typeKey) && m.text("rotationPeriod") != "7776000s", "rotation %q", m.text("rotationPeriod"))
	}},
	{"tags of images stay", func(m made) string {
		return wrong(is(m, typeImages) && m.text("dockerConfig", "immutableTags") != "true", "tags can be moved")
	}},
	{"the subnet reaches Google without the internet", func(m made) string {
		return wrong(is(m, typeSubnet) && m.text("privateIpGoogleAccess") != "true" || is(m, typeNetwork) && m.text("autoCreateSubnetworks") != "false", "%v", m.Inputs)
	}},
	{"everything runs as an account of its own", func(m made) string {
		who := m.text("template", "serviceAccount") + m.text("template", "template", "serviceAccount")
		return wrong(is(m, typeService, typePool, typeJob) && !strings.HasPrefix(who, m.Name+"@"), "runs as %q", who)
	}},
	{"all traffic goes to named revisions, the candidate's to none", func(m made) string {
		if !is(m, typeAPI) {
			return ""
		}
		total := 0.0
		for _, v := range at(resource.NewProperty(m.Inputs), "traffics", "[]") {
			share := v.ObjectValue()["percent"].NumberValue()
			total += share
			if v.ObjectValue()["type"].StringValue() != "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION" || !v.ObjectValue()["revision"].IsString() {
				return "traffic goes to the latest"
			}
			if v.ObjectValue()["tag"].IsString() && share != 0 {
				return "the candidate gets traffic"
			}
		}
		return wrong(total != 100, "%v percent", total)
	}},
	{"events by POST go to the newest revision that has started", func(m made) string {
		return wrong(is(m, typeIngest) && (m.text("traffics", "[]", "type") != "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST" || m.text("traffics", "[]", "percent") != "100"), "%v", m.Inputs["traffics"])
	}},
	{"what is spooled fits into memory, and requests into an instance", func(m made) string {
		names, values := m.environment()
		return wrong(is(m, typeService) && (!strings.Contains(names, "SPOOL_BYTES") || !strings.Contains(values, "512MB") || m.text("template", "containers", "[]", "resources", "limits", "memory") != "2Gi") ||
			is(m, typeIngest) && m.variable("ESTELA_INGEST_IN_FLIGHT") != m.text("template", "maxInstanceRequestConcurrency"), "%s", values)
	}},
	{"the services scale to none and have probes", func(m made) string {
		return wrong(is(m, typeService) && (m.text("template", "scaling", "minInstanceCount") != "0" || m.text("template", "scaling", "maxInstanceCount") == "" ||
			m.text("template", "containers", "[]", "startupProbe", "httpGet", "path") == "" || m.text("template", "containers", "[]", "livenessProbe", "httpGet", "path") == ""), "%v", m.Inputs["template"])
	}},
	{"the services ask for keys, read again when they change", func(m made) string {
		names, _ := m.environment()
		versions := strings.Fields(m.text("template", "volumes", "[]", "secret", "items", "[]", "version"))
		return wrong(is(m, typeService) && (!strings.Contains(names, "ESTELA_KEYS") || strings.Contains(names, "ESTELA_ANONYMOUS") ||
			len(slices.Compact(versions)) != 1 || versions[0] != "latest"), "variables %s, versions %s", names, versions)
	}},
	{"the ops listener stays inside", func(m made) string {
		_, values := m.environment()
		return wrong(is(m, typeService, typePool) && !strings.Contains(values, "127.0.0.1:9090"), "%s", values)
	}},
	{"workers are counted, in no mode", func(m made) string {
		return wrong(is(m, typePool) && (m.text("scaling", "manualInstanceCount") == "" || m.text("scaling", "scalingMode") != ""), "%v", m.Inputs["scaling"])
	}},
	{"the schedule starts as an account and repeats nothing", func(m made) string {
		return wrong(is(m, typeSchedule) && (m.text("httpTarget", "oauthToken", "serviceAccountEmail") == "" || m.text("retryConfig", "retryCount") != "0" ||
			!strings.HasPrefix(m.text("httpTarget", "uri"), "https://")), "%v", m.Inputs)
	}},
	{"alerts reach somebody and say what to do", func(m made) string {
		return wrong(is(m, typeAlert) && (m.text("notificationChannels", "[]") == "" || !strings.Contains(m.text("documentation", "content"), "https://") || m.text("severity") == ""), "%v", m.Inputs)
	}},
	{"a budget burns in two windows before anyone is told", func(m made) string {
		return wrong(is(m, typeAlert) && strings.Contains(m.Name, "-burns-") && (m.text("combiner") != "AND" || len(at(resource.NewProperty(m.Inputs), "conditions", "[]")) != 2), "%s", m.text("combiner"))
	}},
	{"objectives can be missed", func(m made) string {
		goal := m.text("goal")
		return wrong(is(m, typeSLO) && (goal == "1" || goal == "" || m.text("rollingPeriodDays") == ""), "goal %s", goal)
	}},
	{"uptime is asked for over TLS", func(m made) string {
		return wrong(is(m, typeUptime) && (m.text("httpCheck", "useSsl") != "true" || m.text("httpCheck", "validateSsl") != "true"), "%v", m.Inputs["httpCheck"])
	}},
}

// broken are the policies that a resource breaks.
func broken(m made) map[string]string {
	found := map[string]string{}
	for _, p := range policies {
		if says := p.check(m); says != "" {
			found[p.name] = says
		}
	}
	return found
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	for name, all := range stacks(t) {
		if len(all) < 10 {
			t.Errorf("%s has %d resources only", name, len(all))
		}
		for _, m := range all {
			for policy, says := range broken(m) {
				t.Errorf("%s: %s %s breaks %q: %s", name, m.Type, m.Name, policy, says)
			}
		}
	}
}
