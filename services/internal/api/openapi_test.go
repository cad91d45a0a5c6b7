package api_test

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/estela-dev/estela/data"
	"github.com/estela-dev/estela/services/internal/api"
	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/endpoint"
)

// setupDocumented serves data/flights with described columns.
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

// The document is valid OpenAPI 3.1 and lists every endpoint.
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

// The document has ECMA-262 patterns, a note for those that only RE2 supports, and values as in a
// request.
func TestOpenAPIParameters(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"echo": `-- Something.
-- param: a string pattern="(?i)^[[:alpha:]] \z" example="X " -- a letter
-- param: b string pattern=(?m)^x -- many lines
-- param: c string pattern=(?m)^x` + "`$" + `
-- param: d date-time default="2016-12-31t23:59:60.5z"
-- param: e string default="New York" enum="New York","a,b"
-- param: f integer default=1e1
SELECT $a AS a, $b AS b, $c AS c, $d AS d, $e AS e, $f AS f
`})
	doc, err := openapi3.NewLoader().LoadFromData([]byte(i.get(t, "/openapi.json").text))
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	params := doc.Paths.Value("/v1/test/echo").Get.Parameters
	for name, want := range map[string]string{
		"a": "\"^[A-Za-zſ\u212a] $\" \"a letter\" <nil> [] X ",
		"b": "\"\" \"many lines\\n\\nIt must match `(?m)^x` (RE2).\" <nil> [] <nil>",
		"c": "\"\" \"It must match `` (?m)^x`$ `` (RE2).\" <nil> [] <nil>",
		"d": `"" "" 2017-01-01T00:00:00.5Z [] <nil>`,
		"e": `"" "" New York [New York a,b] <nil>`,
		"f": `"" "" 10 [] <nil>`,
	} {
		p := params.GetByInAndName("query", name)
		s := p.Schema.Value
		if got := fmt.Sprintf("%q %q %v %v %v", s.Pattern, p.Description, s.Default, s.Enum, p.Example); got != want {
			t.Errorf("%s:\n got %s\nwant %s", name, got, want)
		}
	}
}

// A column has the documentation of the contract's property whose values and name it has; one that
// is computed, also by a view, has that of the header.
func TestOpenAPIColumns(t *testing.T) {
	t.Parallel()
	c, err := contract.Parse("test", "contract.json", []byte(`{"type": "object", "x-estela": {"key": "id", "time": "at"}, "required": ["id", "at"], "properties": {
		"id": {"type": "string", "title": "Key", "description": "Names the <b>reading</b>.", "examples": ["a", "b"]},
		"at": {"type": "string", "format": "date-time", "description": "When."},
		"n": {"type": "integer", "minimum": 0, "maximum": 9, "description": "How many.", "examples": [1, 2.50], "x-estela": {"unit": "pieces"}},
		"flag": {"type": "boolean", "description": "Whether."},
		"data": {"type": "object", "description": "More.", "examples": [{"a": [1]}]},
		"plain": {"type": "string"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	i := setup(t, "CREATE TABLE test AS SELECT 'a' AS id, now() AS \"at\", 1::TINYINT AS n, true AS flag, '{}'::JSON AS data, 'x' AS plain; CREATE VIEW seen AS SELECT * REPLACE (NOT flag AS flag) FROM test; CREATE TABLE refs AS SELECT id, plain, flag FROM test", map[string]string{
		"all":    "-- All.\nSELECT * FROM test LIMIT 9",
		"other":  "-- Others.\n-- column: key unit='a \"b\"' example=7 -- The key.\n-- column: sum example=1.5\nSELECT id, CAST(\"at\" AS DATE) AS \"at\", sum(n) AS n, count(*) AS flag, id AS key, sum(n) / 2 AS sum FROM test GROUP BY ALL LIMIT 9",
		"joined": "-- Joined.\nSELECT t.id, r.plain, r.flag FROM test AS t JOIN refs AS r USING (id) LIMIT 9",
		"view":   "-- Through a view.\n-- column: n unit=ml\n-- column: plain -- Plain.\nWITH best AS (SELECT max(n) AS n, id, plain, flag FROM seen GROUP BY ALL) SELECT n, best.id, plain, flag FROM best LIMIT 9",
	}, func(cfg *api.Config) {
		cfg.Datasets[0].Columns, cfg.Datasets[0].Views = c.Columns, "CREATE VIEW seen AS SELECT * REPLACE (NOT flag AS flag) FROM test"
	})
	if err := i.api.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	doc, err := openapi3.NewLoader().LoadFromData([]byte(i.get(t, "/openapi.json").text))
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	for path, columns := range map[string]map[string]string{
		"all": {
			"id": "Key|Names the <b>reading</b>.\n\nVARCHAR|[a b]|map[]", "at": "|When.\n\nTIMESTAMPTZ|[]|map[]", "n": "|How many.\n\nTINYINT (pieces)|[1 2.5]|map[x-estela:map[unit:pieces]]",
			"flag": "|Whether.\n\nBOOLEAN|[]|map[]", "data": "|More.\n\nJSON|[map[a:[1]]]|map[]", "plain": "|VARCHAR|[]|map[]",
		},
		"other": {
			"id": "Key|Names the <b>reading</b>.\n\nVARCHAR|[a b]|map[]", "at": "|DATE|[]|map[]", "n": "|HUGEINT|[]|map[]", "flag": "|BIGINT|[]|map[]",
			"key": "|The key.\n\nVARCHAR (a \"b\")|[7]|map[x-estela:map[unit:a \"b\"]]", "sum": "|DOUBLE|[1.5]|map[]",
		},
		"joined": {"id": "Key|Names the <b>reading</b>.\n\nVARCHAR|[a b]|map[]", "plain": "|VARCHAR|[]|map[]", "flag": "|BOOLEAN|[]|map[]"},
		"view": {
			"id": "Key|Names the <b>reading</b>.\n\nVARCHAR|[a b]|map[]", "n": "|How many.\n\nTINYINT (ml)|[1 2.5]|map[x-estela:map[unit:ml]]",
			"flag": "|BOOLEAN|[]|map[]", "plain": "|Plain.\n\nVARCHAR|[]|map[]",
		},
	} {
		row := rowSchema(doc.Paths.Value("/v1/test/" + path).Get)
		for name, want := range columns {
			s := row.Properties[name].Value
			if got := fmt.Sprintf("%s|%s|%v|%v", s.Title, s.Description, s.Examples, s.Extensions); got != want {
				t.Errorf("%s of %s:\n got %q\nwant %q", name, path, got, want)
			}
		}
	}
}

// The endpoint's own dataset documents a column before another that it reads; one that it doesn't
// read documents none.
func TestOpenAPIColumnsOfOthers(t *testing.T) {
	t.Parallel()
	dataset := func(name, sql string) endpoint.Dataset {
		e, err := endpoint.Parse("all.sql", sql)
		if err != nil {
			t.Fatal(err)
		}
		property := func(named string) contract.Column {
			return contract.Column{Name: named, Type: column.Varchar, Description: "Of " + name + "."}
		}
		return endpoint.Dataset{Name: name, Endpoints: []endpoint.Endpoint{e}, Columns: []contract.Column{property("id"), property(name[:1]), property("x")}}
	}
	i := setup(t, "CREATE TABLE ants (id VARCHAR, a VARCHAR, x VARCHAR); CREATE TABLE bees (id VARCHAR, b VARCHAR, x VARCHAR)", nil, func(cfg *api.Config) {
		cfg.Datasets = []endpoint.Dataset{
			dataset("ants", "-- A.\n-- reads: bees\nSELECT id, a, b, ants.x FROM ants JOIN bees USING (id) LIMIT 9"),
			dataset("bees", "-- B.\nSELECT id, b, b AS a FROM bees LIMIT 9"),
		}
	})
	if err := i.api.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{"ants": "id=Of ants. a=Of ants. b=Of bees. x=Of ants. ", "bees": "id=Of bees. b=Of bees. a= "} {
		_, _, text := i.body(t, "/v1/"+path+"/all?format=dictionary")
		lines, err := csv.NewReader(strings.NewReader(string(text))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for _, line := range lines[1:] {
			got += line[0] + "=" + line[4] + " "
		}
		if got != want {
			t.Errorf("%s:\n got %s\nwant %s", path, got, want)
		}
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

// trials returns values of a parameter and the status of each.
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

// Every parameter and every column of the bundled endpoints has a description.
func TestEndpointsOfDataAreDescribed(t *testing.T) {
	t.Parallel()
	endpoints, err := endpoint.Load(data.FS, "flights")
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
	_, doc := setupDocumented(t)
	for path, item := range doc.Paths.Map() {
		for name, column := range rowSchema(item.Get).Properties {
			if !strings.Contains(column.Value.Description, "\n\n") {
				t.Errorf("%s: the column %s has no description; add to the header: -- column: %s -- DESCRIPTION", path, name, name)
			}
		}
	}
}
