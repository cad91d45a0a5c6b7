// Package standin knows what Google Cloud would add to a resource: enough for the
// program to go on without a cloud, in tests and in a rehearsal with Pulumi's engine.
package standin

import (
	"github.com/pulumi/pulumi/sdk/v3/go/common/resource"
)

// Outputs are a resource's inputs with what Google Cloud would have added, by the
// resource's type and name. Valkey has an endpoint and its certificate at once.
func Outputs(kind, name string, inputs resource.PropertyMap) resource.PropertyMap {
	out := inputs.Copy()
	set := func(key string, value any) { out[resource.PropertyKey(key)] = resource.NewPropertyValue(value) }
	switch kind {
	case "gcp:serviceaccount/account:Account":
		set("email", name+"@estela-example.iam.gserviceaccount.com")
		set("name", "projects/estela-example/serviceAccounts/"+name)
	case "gcp:memorystore/instance:Instance":
		set("endpoints", []any{map[string]any{"connections": []any{map[string]any{"pscAutoConnection": map[string]any{
			"ipAddress": "10.8.0.5", "port": 6379.0, "connectionType": "CONNECTION_TYPE_PRIMARY",
		}}}}})
		set("managedServerCas", []any{map[string]any{"caCerts": []any{map[string]any{
			"certificates": []any{"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----"},
		}}}})
	case "gcp:cloudrunv2/service:Service":
		set("uri", "https://"+name+".a.run.app")
		set("trafficStatuses", statuses(name, inputs["traffics"]))
	case "gcp:projects/iAMCustomRole:IAMCustomRole":
		set("name", "projects/estela-example/roles/"+text(inputs["roleId"]))
	case "gcp:monitoring/slo:Slo":
		set("name", "projects/estela-example/services/"+text(inputs["service"])+"/serviceLevelObjectives/"+text(inputs["sloId"]))
	case "gcp:iam/workloadIdentityPool:WorkloadIdentityPool":
		set("name", "projects/1/locations/global/workloadIdentityPools/estela-github")
	}
	return out
}

// statuses are the addresses of the tagged revisions.
func statuses(service string, traffics resource.PropertyValue) []any {
	all := []any{}
	if !traffics.IsArray() {
		return all
	}
	for _, t := range traffics.ArrayValue() {
		if tag := text(t.ObjectValue()["tag"]); tag != "" {
			all = append(all, map[string]any{"tag": tag, "uri": "https://" + tag + "---" + service + ".a.run.app"})
		}
	}
	return all
}

func text(v resource.PropertyValue) string {
	if !v.IsString() {
		return ""
	}
	return v.StringValue()
}
