package ingest

import (
	"encoding/json"

	"github.com/estela-dev/estela/services/internal/contract"
)

type object = map[string]any

// operation is the OpenAPI operation of a dataset's POST, without what every operation has.
func operation(k *contract.Contract) object {
	schema := json.RawMessage(k.Schema)
	text := func(description string) object {
		return object{"schema": object{"type": "string", "description": description}}
	}
	return object{
		"summary": "Publish events.",
		"description": "The events are checked by the dataset's contract, and published only if all are valid: else the answer, 422, lists what is wrong with the first of the others. " +
			"202 says that Redis has them. The body may be compressed: Content-Encoding gzip or zstd. " +
			"A CloudEvent's data is the event; what its attributes are in it is in the contract.",
		"parameters": []object{
			parameter("query", "on-invalid", "What to do with invalid events: refuse the request, or keep them as rejects and publish the others.", object{"type": "string", "enum": []string{"refuse", "reject"}, "default": "refuse"}),
			parameter("query", "durability", "When to answer: accepted, once Redis has the events; or stored, once the warehouse has.", object{"type": "string", "enum": []string{"accepted", "stored"}, "default": "accepted"}),
			parameter("header", "Idempotency-Key", "Names the request: within 24 hours a repetition publishes nothing and gets the same answer.", object{"type": "string", "minLength": 1, "maxLength": 257}),
		},
		"requestBody": object{"required": true, "content": object{
			"application/json":                   object{"schema": object{"oneOf": []any{schema, object{"type": "array", "items": object{"type": "object"}}}}},
			"application/x-ndjson":               text("One event a line."),
			"application/cloudevents+json":       object{"schema": object{"type": "object", "description": "A CloudEvent 1.0 in structured mode."}},
			"application/cloudevents-batch+json": object{"schema": object{"type": "array", "items": object{"type": "object"}, "description": "CloudEvents 1.0."}},
		}},
		"responses": object{
			"200": response("The warehouse has the events."),
			"202": response("Redis has the events."),
		},
	}
}

func parameter(in, name, description string, schema object) object {
	return object{"in": in, "name": name, "description": description, "required": false, "schema": schema}
}

func response(description string) object {
	id := object{"type": "string", "description": "ID of an entry of the stream."}
	return object{"description": description, "content": object{"application/json": object{"schema": object{
		"type": "object", "required": []string{"events", "rejected", "stored", "streams"},
		"properties": object{
			"events":   object{"type": "integer", "description": "How many events were published."},
			"rejected": object{"type": "integer", "description": "How many of them are invalid and become rejects."},
			"stored":   object{"type": "boolean", "description": "The warehouse has them."},
			"streams": object{"type": "array", "description": "What the stream of each shard got.", "items": object{
				"type": "object", "required": []string{"shard", "events", "first", "last"},
				"properties": object{
					"shard": object{"type": "integer"}, "events": object{"type": "integer"}, "first": id, "last": id,
					"position": object{"type": "string", "description": "The ID up to which the shard is stored."},
				},
			}},
		},
	}}}}
}
