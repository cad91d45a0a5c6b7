package api_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
)

// The document lists what is served, and what it lists is served.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	s := setupFlights(t)
	var doc struct {
		OpenAPI string
		Paths   map[string]struct {
			Get struct {
				OperationID string
				Summary     string
				Parameters  []struct {
					Name     string
					Required bool
					Schema   map[string]any
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(s.get(t, "/openapi.json").text), &doc); err != nil || doc.OpenAPI != "3.1.0" {
		t.Fatalf("%+v, %v", doc, err)
	}
	if len(doc.Paths) != 6 {
		t.Errorf("%d paths, the flights have 6 endpoints", len(doc.Paths))
	}
	for path, item := range doc.Paths {
		op, query := item.Get, ""
		if op.OperationID == "" || op.Summary == "" {
			t.Errorf("%s: %+v", path, op)
		}
		for _, p := range op.Parameters {
			if !slices.Contains([]any{"string", "integer", "number", "boolean"}, p.Schema["type"]) {
				t.Errorf("%s: %s has the type %v", path, p.Name, p.Schema["type"])
			}
			if p.Required { // an airport, in the bundled endpoints
				query = "?" + p.Name + "=ATL"
			}
		}
		if r := s.get(t, path+query); r.status != http.StatusOK {
			t.Errorf("%s: status %d: %s", path+query, r.status, r.text)
		}
	}
	airport := doc.Paths["/v1/flights/departures"].Get.Parameters[0]
	if airport.Name != "airport" || !airport.Required || airport.Schema["pattern"] != "^[A-Z]{3}$" {
		t.Errorf("the departures' airport is %+v", airport)
	}
}
