package stack_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// set returns a value changed at a path, [] being the first of a list; nil removes it.
func set(v resource.PropertyValue, to any, path ...string) resource.PropertyValue {
	for v.IsOutput() {
		v = v.OutputValue().Element
	}
	if len(path) == 0 {
		return resource.NewPropertyValue(to)
	}
	if path[0] == "[]" {
		list := slices.Clone(v.ArrayValue())
		list[0] = set(list[0], to, path[1:]...)
		return resource.NewProperty(list)
	}
	object := resource.PropertyMap{}
	if v.IsObject() {
		object = v.ObjectValue().Copy()
	}
	key := resource.PropertyKey(path[0])
	if to == nil && len(path) == 1 {
		delete(object, key)
		return resource.NewProperty(object)
	}
	object[key] = set(object[key], to, path[1:]...)
	return resource.NewProperty(object)
}

func change(to any, path ...string) func(*made) {
	return func(m *made) { m.Inputs = set(resource.NewProperty(m.Inputs), to, path...).ObjectValue() }
}

// variable gives a container's variable another value.
func variable(name, value string) func(*made) {
	return func(m *made) {
		var all []any
		for _, v := range at(resource.NewProperty(m.Inputs), env...) {
			if v.ObjectValue()["name"].StringValue() == name {
				v = set(v, value, "value")
			}
			all = append(all, v)
		}
		change(all, env[:len(env)-1]...)(m)
	}
}

func unprotect(m *made) { m.Protect = false }

func retype(to string) func(*made) { return func(m *made) { m.Type = to } }

// mistake is a misconfiguration that somebody could make, and the policy that must
// catch it.
type mistake struct {
	policy, stack, kind string
	make                func(*made)
}

const invoker = "gcp:cloudrunv2/serviceIamMember:ServiceIamMember"

var env = []string{"template", "containers", "[]", "envs", "[]"}

var mistakes = []mistake{
	{"no one is everyone, but for the services when they are public", "production", typeProject, change("allUsers", "member")},
	{"no one is everyone, but for the services when they are public", "production", invoker, change("allAuthenticatedUsers", "member")},
	{"no one is everyone, but for the services when they are public", "production", invoker, change("roles/run.admin", "role")},
	{"no one is everyone, but for the services when they are public", "staging", "gcp:secretmanager/secretIamMember:SecretIamMember", change("allUsers", "member")},
	{"no basic roles", "foundation", typeProject, change("roles/editor", "role")},
	{"no basic roles", "foundation", typeProject, change("roles/viewer", "role")},
	{"project roles are the few that are needed", "production", typeProject, change("roles/storage.admin", "role")},
	{"project roles are the few that are needed", "foundation", typeProject, change("roles/secretmanager.secretAccessor", "role")},
	{"roles of our own read no secret", "foundation", typeRole, change("secretmanager.versions.access", "permissions", "[]")},
	{"rights are added, never replaced", "production", typeProject, retype("gcp:projects/iAMBinding:IAMBinding")},
	{"rights are added, never replaced", "production", typeProject, retype("gcp:projects/iAMPolicy:IAMPolicy")},
	{"the right to grant is limited to the runtime's roles", "foundation", typeProject, func(m *made) {
		change("roles/resourcemanager.projectIamAdmin", "role")(m)
		change(nil, "condition")(m)
	}},
	{"who logs in to Valkey logs in to one", "production", typeProject, func(m *made) {
		change("roles/memorystore.dbConnectionUser", "role")(m)
		change("true", "condition", "expression")(m)
	}},
	{"service accounts have no keys", "production", typeProject, retype("gcp:serviceaccount/key:Key")},
	{"secrets have no value here", "production", typeSecret, retype("gcp:secretmanager/secretVersion:SecretVersion")},
	{"secrets have no value here", "production", typeSecret, change("hunter2", "secretData")},
	{"nothing secret is a plain variable", "production", typePool, change("eyJhbGciOiJIUzI1NiJ9.x", append(slices.Clone(env), "value")...)},
	{"nothing secret is a plain variable", "production", typeService, func(m *made) {
		change("MOTHERDUCK_TOKEN", append(slices.Clone(env), "name")...)(m)
		change("whatever", append(slices.Clone(env), "value")...)(m)
	}},
	{"Valkey asks for identity and encrypts", "production", typeInstance, change("AUTH_DISABLED", "authorizationMode")},
	{"Valkey asks for identity and encrypts", "production", typeInstance, change("TRANSIT_ENCRYPTION_DISABLED", "transitEncryptionMode")},
	{"Valkey asks for identity and encrypts", "staging", typeInstance, change(nil, "authorizationMode")},
	{"Valkey evicts nothing and writes down what it takes", "production", typeInstance, change("allkeys-lru", "engineConfigs", "maxmemory-policy")},
	{"Valkey evicts nothing and writes down what it takes", "production", typeInstance, change("DISABLED", "persistenceConfig", "mode")},
	{"Valkey is one node, as the streams are read", "production", typeInstance, change("CLUSTER", "mode")},
	{"Valkey is one node, as the streams are read", "production", typeInstance, change(3.0, "shardCount")},
	{"the services reach Valkey encrypted, as themselves", "production", typePool, variable("ESTELA_REDIS", "redis://10.8.0.5:6379")},
	{"the services reach Valkey encrypted, as themselves", "production", typeIngest, variable("ESTELA_REDIS_AUTH", "url")},
	{"each service has the warehouse or the streams, as it needs", "production", typeIngest, change("ESTELA_WAREHOUSE", append(slices.Clone(env), "name")...)},
	{"each service has the warehouse or the streams, as it needs", "fleet", typeIngest, change("MOTHERDUCK_TOKEN", append(slices.Clone(env), "name")...)},
	{"each service has the warehouse or the streams, as it needs", "production", typeAPI, change("ESTELA_REDIS", append(slices.Clone(env), "name")...)},
	{"the warehouse's token is the worker's and the API's alone", "production", typeReader + "#motherduck-token", change("serviceAccount:estela-production-ingest@estela-example.iam.gserviceaccount.com", "member")},
	{"what holds data can't be deleted", "production", typeInstance, unprotect},
	{"what holds data can't be deleted", "production", typeInstance, change(false, "deletionProtectionEnabled")},
	{"what holds data can't be deleted", "staging", typeSecret, change(nil, "deletionProtection")},
	{"what holds data can't be deleted", "foundation", typeBucket, unprotect},
	{"what holds data can't be deleted", "foundation", typeKey, unprotect},
	{"images are pinned by digest", "production", typeService, change("southamerica-west1-docker.pkg.dev/p/estela/estela:latest", "template", "containers", "[]", "image")},
	{"images are pinned by digest", "staging", typePool, change("estela", "template", "containers", "[]", "image")},
	{"images are pinned by digest", "production", typeJob, change("x/estela:v1", "template", "template", "containers", "[]", "image")},
	{"what can be labelled is", "production", typeInstance, change(nil, "labels")},
	{"what can be labelled is", "production", typeAlert, change("hand", "userLabels", "managed-by")},
	{"everything says whose it is", "production", typeService, change("another-project", "project")},
	{"federation trusts one repository's environments, no pull request", "foundation", typeProvider, change("assertion.repository == 'estela-dev/estela'", "attributeCondition")},
	{"federation trusts one repository's environments, no pull request", "foundation", typeProvider, change("assertion.repository_owner == 'estela-dev' && assertion.event_name != 'pull_request' && assertion.sub in ['repo:x']", "attributeCondition")},
	{"federation trusts one repository's environments, no pull request", "foundation", typeProvider, change("assertion.repository == 'estela-dev/estela' && assertion.event_name != 'pull_request' && assertion.sub in ['repo:x']", "attributeCondition")},
	{"federation trusts one repository's environments, no pull request", "foundation", typeProvider, change("https://example.com", "oidc", "issuerUri")},
	{"an account is lent to one environment at a time", "foundation", typeAccount, change("principalSet://iam.googleapis.com/p/*", "member")},
	{"an account is lent to one environment at a time", "foundation", typeAccount, change("principal://iam.googleapis.com/p/subject/repo:estela-dev/estela:pull_request", "member")},
	{"the state is private and keeps its past", "foundation", typeBucket, change("inherited", "publicAccessPrevention")},
	{"the state is private and keeps its past", "foundation", typeBucket, change(false, "versioning", "enabled")},
	{"the state is private and keeps its past", "foundation", typeBucket, change(true, "forceDestroy")},
	{"keys are exchanged", "foundation", typeKey, change(nil, "rotationPeriod")},
	{"tags of images stay", "foundation", typeImages, change(false, "dockerConfig", "immutableTags")},
	{"the subnet reaches Google without the internet", "production", typeSubnet, change(false, "privateIpGoogleAccess")},
	{"the subnet reaches Google without the internet", "production", typeNetwork, change(true, "autoCreateSubnetworks")},
	{"everything runs as an account of its own", "production", typeService, change("default@estela-example.iam.gserviceaccount.com", "template", "serviceAccount")},
	{"everything runs as an account of its own", "production", typeJob, change(nil, "template", "template", "serviceAccount")},
	{"all traffic goes to named revisions, the candidate's to none", "production", typeService, change("TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "traffics", "[]", "type")},
	{"all traffic goes to named revisions, the candidate's to none", "production", typeService, change(90.0, "traffics", "[]", "percent")},
	{"all traffic goes to named revisions, the candidate's to none", "production", typeService, change("candidate", "traffics", "[]", "tag")},
	{"events by POST go to the newest revision that has started", "production", typeIngest, change("TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "traffics", "[]", "type")},
	{"events by POST go to the newest revision that has started", "staging", typeIngest, change(50.0, "traffics", "[]", "percent")},
	{"what is spooled fits into memory, and requests into an instance", "production", typeIngest, variable("ESTELA_INGEST_SPOOL_BYTES", "4GB")},
	{"what is spooled fits into memory, and requests into an instance", "production", typeIngest, change(1000.0, "template", "maxInstanceRequestConcurrency")},
	{"what is spooled fits into memory, and requests into an instance", "production", typeAPI, change("512Mi", "template", "containers", "[]", "resources", "limits", "memory")},
	{"everything runs as an account of its own", "production", typeIngest, change("estela-production-worker@estela-example.iam.gserviceaccount.com", "template", "serviceAccount")},
	{"the services ask for keys, read again when they change", "production", typeIngest, change("ESTELA_ANONYMOUS", append(slices.Clone(env), "name")...)},
	{"the services scale to none and have probes", "production", typeIngest, change(nil, "template", "containers", "[]", "startupProbe")},
	{"the services scale to none and have probes", "production", typeService, change(1.0, "template", "scaling", "minInstanceCount")},
	{"the services scale to none and have probes", "production", typeService, change(nil, "template", "containers", "[]", "livenessProbe")},
	{"the services ask for keys, read again when they change", "production", typeService, change("ESTELA_ANONYMOUS", append(slices.Clone(env), "name")...)},
	{"the services ask for keys, read again when they change", "production", typeService, change("1", "template", "volumes", "[]", "secret", "items", "[]", "version")},
	{"the ops listener stays inside", "production", typePool, variable("ESTELA_OPS_LISTEN", "0.0.0.0:9090")},
	{"workers are counted, in no mode", "production", typePool, change("MANUAL", "scaling", "scalingMode")},
	{"the schedule starts as an account and repeats nothing", "production", typeSchedule, change(nil, "httpTarget", "oauthToken")},
	{"the schedule starts as an account and repeats nothing", "production", typeSchedule, change(3.0, "retryConfig", "retryCount")},
	{"alerts reach somebody and say what to do", "production", typeAlert, change(nil, "notificationChannels")},
	{"alerts reach somebody and say what to do", "production", typeAlert, change("Good luck.", "documentation", "content")},
	{"a budget burns in two windows before anyone is told", "production", typeAlert, change("OR", "combiner")},
	{"objectives can be missed", "production", typeSLO, change(1.0, "goal")},
	{"uptime is asked for over TLS", "production", typeUptime, change(false, "httpCheck", "validateSsl")},
}

// Every mistake is caught by its policy, and every policy catches one.
func TestMistakesAreCaught(t *testing.T) {
	t.Parallel()
	caught, right := map[string]bool{}, stacks(t)
	for _, x := range mistakes {
		all := right[x.stack]
		i := slices.IndexFunc(all, func(m made) bool {
			return m.isA(x.kind) && (x.kind != typeAlert || strings.Contains(m.Name, "-burns-"))
		})
		if i < 0 {
			t.Errorf("%s has no %s", x.stack, x.kind)
			continue
		}
		m := all[i]
		if says := broken(m); len(says) > 0 {
			t.Errorf("%s is broken before the mistake: %v", m.Name, says)
		}
		x.make(&m)
		if broken(m)[x.policy] == "" {
			t.Errorf("%s of %s: the mistake is not caught by %q, but by %v: %v", m.Type, x.stack, x.policy, broken(m), m.Inputs)
		}
		caught[x.policy] = true
	}
	for _, p := range policies {
		if !caught[p.name] {
			t.Errorf("no mistake shows that %q catches anything", p.name)
		}
	}
	if len(mistakes) < 25 {
		t.Errorf("%d mistakes only", len(mistakes))
	}
}
