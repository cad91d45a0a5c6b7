package contract_test

import (
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/contract"
)

const cloudEvents = `{"type": "object", "x-estela": {"key": "id", "cloudevents": CE}, "required": ["id"],
	"properties": {"id": {"type": "string"}, "kind": {"type": "string"}, "level": {"type": "integer"}}}`

func TestCloudEvents(t *testing.T) {
	t.Parallel()
	c := parse(t, strings.Replace(cloudEvents, "CE", `{"type": "kind", "id": "id", "severity": "level"}`, 1))
	want := []contract.Attribute{{Name: "type", Property: 1}, {Name: "id", Property: 0}, {Name: "severity", Property: 2}}
	if len(c.CloudEvents) != len(want) {
		t.Fatalf("attributes are %v", c.CloudEvents)
	}
	for i, a := range c.CloudEvents {
		if a != want[i] {
			t.Errorf("attribute %d is %v, want %v", i, a, want[i])
		}
	}
}

func TestCloudEventsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ cloudevents, pointer, reason string }{
		{`["id"]`, "", "must be an object of attributes"},
		{`{"Id": "id"}`, "/Id", "is no attribute"},
		{`{"partition_key": "id"}`, "/partition_key", "is no attribute"},
		{`{"data": "id"}`, "/data", "is no attribute"},
		{`{"id": "di"}`, "/id", `names no property: found "di"`},
		{`{"id": 7}`, "/id", "names no property: found 7"},
		{`{"id": "id", "subject": "id"}`, "/subject", `property "id" is filled by the attribute "id" already`},
	} {
		refused(t, strings.Replace(cloudEvents, "CE", c.cloudevents, 1), "/x-estela/cloudevents"+c.pointer, c.reason)
	}
}
