package endpoint_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/estela-dev/estela/services/internal/endpoint"
)

// loadCases reads the text as the cases of an endpoint.
func loadCases(text string) ([]endpoint.Case, error) {
	e := endpoint.Endpoint{Name: "x", File: "things/endpoints/x.sql"}
	return e.LoadCases(fstest.MapFS{"endpoints/x.test.json": {Data: []byte(text)}}, "things")
}

func answer(t *testing.T, status int, body string) endpoint.Answer {
	t.Helper()
	a, err := endpoint.ReadAnswer(status, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

const (
	twoRows = `{"data":[{"a":1,"b":{"c":[1,"x"]}},{"a":2.50,"b":null}],"meta":{"rows":2}}`
	noRows  = `{"data":[],"meta":{"rows":0}}`
	refusal = `{"title":"Invalid parameter","detail":"It must be at least 1.","status":400}`
)

// TestCases holds what passes and what the report of a difference is.
func TestCases(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		expected string
		status   int
		body     string
		want     string
	}{
		{`"count":2`, 200, twoRows, ""},
		{`"columns":["a","b"]`, 200, twoRows, ""},
		{`"first":{"b":{"c":[1,"x"]},"a":1}`, 200, twoRows, ""},
		{`"rows":[{"a":1,"b":{"c":[1,"x"]}},{"a":2.50,"b":null}]`, 200, twoRows, ""},
		{`"count":0`, 200, noRows, ""},
		{`"rows":[]`, 200, noRows, ""},
		{`"status":400`, 400, refusal, ""},
		{`"count":3`, 200, twoRows, "count: expected 3\n       answered 2"},
		{`"columns":["b","a"]`, 200, twoRows, "columns: expected b, a\n         answered a, b"},
		{`"first":{"a":1}`, 200, twoRows, "first: expected {\"a\":1}\n       answered {\"a\":1,\"b\":{\"c\":[1,\"x\"]}}"},
		{`"first":{"a":1}`, 200, noRows, "first: expected {\"a\":1}\n       answered no row"},
		{`"rows":[{"a":1,"b":{"c":[1,"x"]}}]`, 200, twoRows, "rows: expected 1\n      answered 2\nrow 2: expected no row\n       answered {\"a\":2.50,\"b\":null}"},
		{`"rows":[{"a":1,"b":{"c":["x",1]}},{"a":2.5,"b":null}]`, 200, twoRows, "row 1: expected {\"a\":1,\"b\":{\"c\":[\"x\",1]}}\n       answered {\"a\":1,\"b\":{\"c\":[1,\"x\"]}}\nrow 2: expected {\"a\":2.5,\"b\":null}\n       answered {\"a\":2.50,\"b\":null}"},
		{`"count":2`, 400, refusal, "status: expected 200\n        answered 400, Invalid parameter: It must be at least 1."},
		{`"status":404`, 200, twoRows, "status: expected 404\n        answered 200"},
	} {
		cases, err := loadCases(`[{` + c.expected + `}]`)
		if err != nil {
			t.Fatal(c.expected, err)
		}
		if got := strings.Join(cases[0].Compare(answer(t, c.status, c.body)), "\n"); got != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.expected, got, c.want)
		}
	}
}

// TestCaseFilesAreRefused holds what is no file of cases.
func TestCaseFilesAreRefused(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`{}`:                                 "it is an array of cases",
		`[{"params":{"a":"b"}}]`:             "case 1 expects nothing",
		`[{"name":"n"}]`:                     "case n expects nothing",
		`[{"counts":1}]`:                     `unknown field "counts"`,
		`[{"params":{"a":[1]},"count":1}]`:   `parameter "a" must be a text`,
		`[{"count":1}] [{"count":1}]`:        "has more after the array",
		`[{"count":1}`:                       "unexpected EOF",
		`[{"count":1,"first":{"a":1},"b":}]`: "invalid character",
	} {
		if _, err := loadCases(text); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "things/endpoints/x.test.json: ") {
			t.Errorf("%s: %v, want %s", text, err, want)
		}
	}
}

// TestAcceptedCasesPass writes what was answered into cases, which then expect it.
func TestAcceptedCasesPass(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"{}", `{"count":7}`, `{"columns":[],"first":{}}`, `{"rows":[{}]}`, `{"status":400}`, `{"name":"n","params":{"a":"\"b"},"count":0}`} {
		for _, a := range []endpoint.Answer{answer(t, 200, twoRows), answer(t, 200, noRows), answer(t, 400, refusal)} {
			var c endpoint.Case
			if err := json.Unmarshal([]byte(before), &c); err != nil {
				t.Fatal(err)
			}
			c.Accept(a)
			text, err := endpoint.WriteCases([]endpoint.Case{c, c})
			if err != nil {
				t.Fatal(err)
			}
			cases, err := loadCases(string(text))
			if err != nil || len(cases) != 2 || len(cases[1].Compare(a)) > 0 {
				t.Errorf("%s accepts %d: %v\n%s", before, a.Status, err, text)
			}
			if again, err := endpoint.WriteCases(cases); err != nil || string(again) != string(text) {
				t.Errorf("written again: %v\n%s\nwas\n%s", err, again, text)
			}
		}
	}
}
