package api_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/estela-dev/estela/data"
	"github.com/estela-dev/estela/services/internal/api"
)

// setupDocumented serves data/flights with what the document knows of the columns.
func setupDocumented(t *testing.T) (instance, *openapi3.T) {
	t.Helper()
	i := setupFlights(t)
	if err := i.api.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData([]byte(i.get(t, "/openapi.json").text))
	if err != nil {
		t.Fatal(err)
	}
	return i, doc
}

// The document is valid OpenAPI 3.1 and lists what is served.
func TestOpenAPI(t *testing.T) {
	t.Parallel()
	_, doc := setupDocumented(t)
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	if doc.OpenAPI != "3.1.0" || doc.Paths.Len() != 6 {
		t.Errorf("%s with %d paths, the flights have 6 endpoints", doc.OpenAPI, doc.Paths.Len())
	}
	departures := doc.Paths.Value("/v1/flights/departures").Get
	airport := departures.Parameters.GetByInAndName("query", "airport")
	if !airport.Required || airport.Schema.Value.Pattern != "^[A-Z]{3}$" || airport.Example != "ATL" {
		t.Errorf("the departures' airport is %+v", airport)
	}
	row := rowSchema(departures)
	if at := row.Properties["occurred_at"].Value; at.Format != "date-time" || !at.Type.Includes("string") || !at.Type.Includes("null") {
		t.Errorf("occurred_at is %+v", at)
	}
	if late := row.Properties["on_time"].Value; !late.Type.Includes("boolean") {
		t.Errorf("on_time is %+v", late)
	}
}

func rowSchema(op *openapi3.Operation) *openapi3.Schema {
	return op.Responses.Value("200").Value.Content.Get("application/json").Schema.Value.Properties["data"].Value.Items.Value
}

// Every operation of the document, called with valid, edge and invalid values of
// its parameters, answers as its schema says.
func TestOpenAPIIsTrue(t *testing.T) {
	t.Parallel()
	i, doc := setupDocumented(t)
	problem := doc.Components.Schemas["Problem"].Value
	called := 0
	for path, item := range doc.Paths.Map() {
		op := item.Get
		ok := op.Responses.Value("200").Value.Content.Get("application/json").Schema.Value
		base := url.Values{}
		for _, p := range op.Parameters {
			if p.Value.Example != nil {
				base.Set(p.Value.Name, fmt.Sprint(p.Value.Example))
			}
		}
		check := func(query url.Values, want int) {
			called++
			r := i.get(t, path+"?"+query.Encode())
			schema := ok
			if want != http.StatusOK {
				schema = problem
			}
			var value any
			if err := json.Unmarshal([]byte(r.text), &value); err != nil || r.status != want {
				t.Errorf("GET %s?%s: %d, want %d: %s, %v", path, query.Encode(), r.status, want, r.text, err)
				return
			}
			if err := schema.VisitJSON(value, openapi3.EnableJSONSchema2020()); err != nil {
				t.Errorf("GET %s?%s: %v", path, query.Encode(), err)
			}
		}
		check(base, http.StatusOK)
		for _, p := range op.Parameters {
			for text, want := range trials(p.Value) {
				query := url.Values{}
				for name := range base {
					query.Set(name, base.Get(name))
				}
				query.Set(p.Value.Name, text)
				check(query, want)
			}
			if p.Value.Required {
				query := url.Values{}
				check(query, http.StatusBadRequest)
			}
		}
		query := url.Values{"nonsense": {"1"}}
		check(query, http.StatusBadRequest)
	}
	if called < 80 {
		t.Errorf("%d calls only", called)
	}
}

// trials are values of a parameter and the status that they lead to.
func trials(p *openapi3.Parameter) map[string]int {
	s := p.Schema.Value
	trials := map[string]int{}
	if p.Example != nil {
		trials[fmt.Sprint(p.Example)] = http.StatusOK
	}
	if s.Default != nil {
		trials[fmt.Sprint(s.Default)] = http.StatusOK
	}
	for _, value := range s.Enum {
		if value = fmt.Sprint(value); p.Name != "format" || value == "json" {
			trials[fmt.Sprint(value)] = http.StatusOK
		}
	}
	if len(s.Enum) > 0 {
		trials["none of them"] = http.StatusBadRequest
	}
	switch {
	case s.Type.Is("integer"), s.Type.Is("number"):
		trials["x"], trials[""], trials["1e400"] = http.StatusBadRequest, http.StatusBadRequest, http.StatusBadRequest
		if s.Min != nil {
			trials[fmt.Sprint(*s.Min)], trials[fmt.Sprint(*s.Min-1)] = http.StatusOK, http.StatusBadRequest
		}
		if s.Max != nil {
			trials[fmt.Sprint(*s.Max)], trials[fmt.Sprint(*s.Max+1)] = http.StatusOK, http.StatusBadRequest
		}
	case s.Type.Is("boolean"):
		trials["true"], trials["false"], trials["1"] = http.StatusOK, http.StatusOK, http.StatusBadRequest
	case s.Format == "date-time":
		trials["2001-01-15T12:00:00Z"], trials["9999-12-31T23:59:59.999999Z"] = http.StatusOK, http.StatusOK
		trials["yesterday"], trials["2001-02-30T00:00:00Z"] = http.StatusBadRequest, http.StatusBadRequest
	case p.Name == "cursor":
		trials["x"] = http.StatusBadRequest
	case strings.HasPrefix(s.Pattern, "^[A-Z]{3}"):
		trials["ZZZ"], trials["zzz"], trials["ZZZ'; DROP TABLE flights; --"] = http.StatusOK, http.StatusBadRequest, http.StatusBadRequest
	}
	return trials
}

// The page and all it loads come from here; each kind of problem has its page.
func TestDocs(t *testing.T) {
	t.Parallel()
	i := setupFlights(t)
	_, header, page := i.body(t, "/docs")
	if !strings.HasPrefix(header.Get("Content-Type"), "text/html") || strings.Contains(string(page), "//") && strings.Contains(string(page), "https://") {
		t.Errorf("%v\n%s", header, page)
	}
	for _, path := range []string{"swagger-ui.css", "swagger-ui-bundle.js", "start.js", "favicon-32x32.png"} {
		if status, _, body := i.body(t, "/docs/"+path); status != http.StatusOK || len(body) == 0 || path != "favicon-32x32.png" && !strings.Contains(string(page), "/docs/"+path) {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status, _, root := i.body(t, "/"); status != http.StatusOK || string(root) != string(page) {
		t.Errorf("/ leads elsewhere than to the documentation: %d", status)
	}
	_, _, all := i.body(t, "/docs/problems")
	for _, path := range []string{"/nothing", "/v1/flights/departures", "/v1/flights/departures?airport=1", "/v1/flights/departures?airport=ATL&cursor=1", "/v1/flights/events?a=1"} {
		kind := i.get(t, path).Type
		if status, _, body := i.body(t, kind); status != http.StatusOK || !strings.Contains(string(body), kind) || !strings.Contains(string(all), kind) {
			t.Errorf("%s: %d", kind, status)
		}
	}
}

// What can't be described can't be served.
func TestEndpointsOfDataAreDescribed(t *testing.T) {
	t.Parallel()
	endpoints, err := api.Load(data.FS, "flights")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range endpoints {
		for _, p := range e.Params {
			if p.Description == "" || p.Required && p.Example == nil {
				t.Errorf("%s: the parameter %s has no description, or is required and has no example", e.File, p.Name)
			}
		}
	}
}
