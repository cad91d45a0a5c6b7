package api_test

import (
	"encoding/csv"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/estela-dev/estela/services/internal/api"
)

var update = flag.Bool("update", false, "write the golden files anew")

// What the endpoints of the flights say about their answers: the property's documentation where its
// values are, the header's where they are computed.
func TestDescriptions(t *testing.T) {
	t.Parallel()
	i := setupFlights(t)
	for name, file := range map[string]string{
		"departures?format=schema": "departures.schema.json", "departures?format=dictionary": "departures.csv", "routes?format=dictionary": "routes.csv",
	} {
		status, header, body := i.body(t, "/v1/flights/"+name)
		if status != http.StatusOK || header.Get("Etag") == "" || header.Get("Vary") == "" || header.Get("Cache-Control") != "no-cache" {
			t.Errorf("%s: %d %v", name, status, header)
		}
		file = "testdata/" + file
		if *update {
			writeFile(t, file, body)
		}
		want, err := os.ReadFile(file)
		if err != nil || string(want) != string(body) {
			t.Errorf("%v: %s is not what %s says: run go test ./internal/api -update\n%s", err, name, file, body)
		}
		if status, _, _ := i.body(t, "/v1/flights/"+name, "If-None-Match", header.Get("Etag")); status != http.StatusNotModified {
			t.Errorf("%s again: %d", name, status)
		}
	}
}

// The schema holds for every row, in the order of its columns, and needs no parameters; those of a
// request for the rows may stay.
func TestSchemaIsThatOfTheRows(t *testing.T) {
	t.Parallel()
	i := setupFlights(t)
	for _, path := range []string{"/v1/flights/departures?airport=ATL&limit=50", "/v1/flights/routes?limit=9", "/v1/flights/delays", "/v1/flights/airports?limit=9"} {
		separator := "?"
		if strings.Contains(path, "?") {
			separator = "&"
		}
		_, header, body := i.body(t, path+separator+"format=schema")
		var schema openapi3.Schema
		if err := json.Unmarshal(body, &schema); err != nil || header.Get("Content-Type") != "application/schema+json" {
			t.Fatalf("%s: %v %v", path, header, err)
		}
		bare, _, _ := strings.Cut(path, "?")
		if _, _, same := i.body(t, bare, "Accept", "application/schema+json, text/csv;q=0.5"); string(same) != string(body) {
			t.Errorf("%s by Accept: %s", bare, same)
		}
		_, _, text := i.body(t, bare+"?format=dictionary")
		lines, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		_, _, answer := i.body(t, path+separator+"format=csv")
		head, _, _ := strings.Cut(string(answer), "\r\n")
		var names []string
		for _, line := range lines[1:] {
			names = append(names, line[0])
		}
		if strings.Join(names, ",") != head || strings.Join(schema.Required, ",") != head {
			t.Errorf("%s: the dictionary has %q, the schema %q, the answer %s", path, names, schema.Required, head)
		}
		for _, row := range i.get(t, path).Data {
			if err := schema.VisitJSON(row, openapi3.EnableJSONSchema2020()); err != nil {
				t.Errorf("%s: %v", path, err)
			}
		}
	}
}

func TestDescriptionsAreRefused(t *testing.T) {
	t.Parallel()
	i := setupFlights(t)
	for path, want := range map[string]string{
		"/v1/flights/departures?format=schema&airprot=ATL": "This endpoint has the parameters airport",
		"/v1/flights/delays?format=dictionary&limit=1":     "This endpoint answers in one piece",
		"/v1/flights/delays?format=schemas":                "schema, dictionary.",
	} {
		if r := i.get(t, path); r.status != http.StatusBadRequest || !strings.Contains(r.Detail, want) {
			t.Errorf("%s: %d %s", path, r.status, r.text)
		}
	}
	keyed, _, secrets, _ := setupTwo(t)
	for name, want := range map[string]int{"all": 200, "red": 200, "none": 403} {
		status, header, body := keyed.body(t, "/v1/red/red_things?format=schema", "Authorization", "Bearer "+secrets[name])
		if status != want || status == 200 && header.Get("Cache-Control") != "private, no-cache" {
			t.Errorf("%s: %d %v %s", name, status, header, body)
		}
	}
	broken := setup(t, "SELECT 1", map[string]string{"a": "-- A.\n-- column: b -- B.\n-- column: x example=1.5\nSELECT 1 AS x, 'a' AS y"}, func(*api.Config) {})
	err := broken.api.Check(t.Context())
	for _, want := range []string{
		"test/endpoints/a.sql:2: column names the column b, which the answer does not have; its columns are x, y",
		`test/endpoints/a.sql:3: the example "1.5" of the column x is no INTEGER; correct the example`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
