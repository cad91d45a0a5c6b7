package endpoint_test

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode/utf8"

	"github.com/estela-dev/estela/services/internal/endpoint"
)

const departures = `
-- Departures of an airport, newest first.
-- The time is local
-- to the airport.
--
-- A second paragraph: with a colon.
-- param: airport string required pattern=^[A-Z]{3}$ -- IATA code
-- param: since date-time optional
-- param: most integer default=20 minimum=1 maximum=9.9e1 -- how many
-- param: share number default=.5e0 -- bad number, see below
-- order: scheduled_at desc, event_id
-- column: wait unit="minutes of the day" example=7.5 -- How long -- roughly.
-- column: x example=""
-- cache: 1m30s
-- chart: bar x=airport y=flights

-- A comment of the SQL.
SELECT '$airport -- ;' AS x, $$ $since $$ AS y, "$airport?" AS z, E'\';' AS e /* ; $x /* ? */ */
FROM flights WHERE origin = $airport AND ($since IS NULL OR at >= $since)
LIMIT $most;
`

func TestParse(t *testing.T) {
	t.Parallel()
	text := strings.Replace(departures, "-- param: share number default=.5e0 -- bad number, see below\n", "", 1)
	e, err := endpoint.Parse("flights/endpoints/departures.sql", text)
	if err != nil {
		t.Fatal(err)
	}
	if e.Name != "departures" || e.Summary != "Departures of an airport, newest first." || e.Line != 15 ||
		e.Description != "The time is local to the airport.\n\nA second paragraph: with a colon." {
		t.Errorf("%+v", e)
	}
	want := []endpoint.Param{
		{Name: "airport", Type: "string", Required: true, Pattern: regexp.MustCompile("^[A-Z]{3}$"), Description: "IATA code"},
		{Name: "since", Type: "date-time"},
		{Name: "most", Type: "integer", Default: int64(20), Minimum: int64(1), Maximum: int64(99), Description: "how many"},
	}
	if !reflect.DeepEqual(e.Params, want) {
		t.Errorf("parameters %+v", e.Params)
	}
	if !reflect.DeepEqual(e.Order, []endpoint.Order{{"scheduled_at", true}, {"event_id", false}}) || e.Cache != 90*time.Second ||
		!reflect.DeepEqual(*e.Chart, endpoint.Chart{Kind: "bar", X: "airport", Y: []string{"flights"}}) {
		t.Errorf("%+v", e)
	}
	if got := fmt.Sprintf("%+v %s %q", e.Columns, *e.Columns[0].Example, *e.Columns[1].Example); !strings.Contains(got, "Name:wait Unit:minutes of the day Description:How long -- roughly.") || !strings.HasSuffix(got, `7.5 ""`) {
		t.Errorf("columns %s", got)
	}
	if !strings.HasPrefix(e.SQL, "\n-- A comment of the SQL.\nSELECT") {
		t.Errorf("SQL %q", e.SQL)
	}
}

// A value may be quoted, with quotes in it doubled.
func TestParseQuotes(t *testing.T) {
	t.Parallel()
	e, err := endpoint.Parse("a.sql", `-- Something.
-- param: a string default="New York" -- "the" -- city
-- param: b string default='it''s "one"' example="say ""hi"" -- now"
-- param: c string enum="New York",'a,b',plain,"" default="a,b"
-- param: d string pattern='^a b\d$' example="a b1"--no description
-- param: e integer default="2e1" minimum='3'
-- param: f string default="" example=it's -- bare
-- param: g string default=a,"b" --
SELECT $a, $b, $c, $e, $f, $g
`)
	if err == nil || err.Error() != "a.sql:5: example has \"--no description\" behind its quotes; "+
		`put the whole value in quotes and write a quote inside of them twice, such as default="the ""big"" one"` {
		t.Error(err)
	}
	want := []endpoint.Param{
		{Name: "a", Type: "string", Default: "New York", Description: `"the" -- city`},
		{Name: "b", Type: "string", Default: `it's "one"`, Example: `say "hi" -- now`},
		{Name: "c", Type: "string", Default: "a,b", Enum: []string{"New York", "a,b", "plain", ""}},
		{Name: "e", Type: "integer", Default: int64(20), Minimum: int64(3)},
		{Name: "f", Type: "string", Default: "", Example: "it's", Description: "bare"},
		{Name: "g", Type: "string", Default: `a,"b"`},
	}
	if !reflect.DeepEqual(e.Params, want) {
		t.Errorf("got  %+v\nwant %+v", e.Params, want)
	}
	if _, err := want[2].Value("x"); err == nil || err.Error() != `must be one of "New York", "a,b", plain, ""` {
		t.Error(err)
	}
}

// A chart has the columns that its kind takes.
func TestParseCharts(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]endpoint.Chart{
		"bar y=b x=a":               {Kind: "bar", X: "a", Y: []string{"b"}},
		"line x=a y=b,c":            {Kind: "line", X: "a", Y: []string{"b", "c"}},
		"scatter x=a y=b series=c":  {Kind: "scatter", X: "a", Y: []string{"b"}, Series: "c"},
		"histogram x=a":             {Kind: "histogram", X: "a"},
		"heatmap x=a":               {Kind: "heatmap", X: "a"},
		"heatmap  x=a y=b  value=c": {Kind: "heatmap", X: "a", Y: []string{"b"}, Value: "c"},
	} {
		if e, err := endpoint.Parse("a.sql", "-- A.\n-- chart: "+text+"\nSELECT 1"); err != nil || !reflect.DeepEqual(*e.Chart, want) {
			t.Errorf("%s: %+v, %v", text, e.Chart, err)
		}
	}
}

// Each error has the file and line, the reason and the fix.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const head = "-- Something.\n"
	for text, want := range map[string]string{
		"SELECT 1":                             "a.sql:1: has no summary; begin",
		"":                                     "a.sql:1: has no summary; begin",
		head:                                   "a.sql:2: is not a query; write one SELECT",
		"-- param: a string\n-- A.\nSELECT $a": "a.sql:1: param: comes before the summary",
		head + "-- parm: a string\nSELECT 1":   `a.sql:2: unknown directive "parm:" (did you mean "param"?); there are param, column, order, cache, chart, limit and reads`,
		head + "-- param: a\nSELECT 1":         "a.sql:2: the parameter has no name or no type; write -- param: NAME TYPE",
		head + "-- param: A string\nSELECT 1":  `a.sql:2: "A" is no name of a parameter`,
		head + "-- param: a text\nSELECT 1":    `a.sql:2: unknown type "text"; there are string, integer`,
		head + "-- param: limit integer\nSELECT $limit":                        "a.sql:2: the parameter limit is reserved; choose another name",
		head + "-- param: cursor_0 string\nSELECT $cursor_0":                   "a.sql:2: the parameter cursor_0 is reserved",
		head + "-- param: a string\n-- param: a date\nSELECT $a":               "a.sql:3: the parameter a is declared on line 2 already; remove",
		head + "-- param: a integer default=x\nSELECT $a":                      `a.sql:2: the default "x" of a is not valid: it must be an integer`,
		head + "-- param: a integer default=9 maximum=8\nSELECT $a":            `a.sql:2: the default "9" of a is not valid: it must be at most 8`,
		head + "-- param: a string default=c enum=a,b\nSELECT $a":              `a.sql:2: the default "c" of a is not valid: it must be one of a, b`,
		head + "-- param: a integer enum=1,b\nSELECT $a":                       `a.sql:2: "b" in the enum of a is not valid`,
		head + "-- param: a string pattern=[\nSELECT $a":                       "a.sql:2: pattern of a: error parsing regexp",
		head + "-- param: a integer pattern=x\nSELECT $a":                      `a.sql:2: "pattern=x" is nothing that can be said of a parameter of type integer`,
		head + "-- param: a string minimum=1\nSELECT $a":                       `a.sql:2: "minimum=1" is nothing`,
		head + "-- param: a integer minimum=2 maximum=1\nSELECT $a":            "a.sql:2: the minimum of a is above its maximum",
		head + "-- param: a integer minimum=1e400\nSELECT $a":                  "a.sql:2: minimum of a: must be an integer",
		head + "-- param: a string required default=x\nSELECT $a":              "a.sql:2: the required parameter a has a default",
		head + "-- param: a string required optional\nSELECT $a":               "a.sql:2: the parameter is required and optional",
		head + "-- param: a string requird\nSELECT $a":                         `a.sql:2: "requird" is nothing`,
		head + "-- param: a string default=a default=b\nSELECT $a":             "a.sql:2: default is given twice",
		head + "-- param: a string default=New York City required\nSELECT $a":  `a.sql:2: "York" is nothing that can be said of a parameter of type string; if it belongs to the default, put that in quotes: default="New York City"`,
		head + "-- param: a string pattern=^a \"b\"$\nSELECT $a":               `if it belongs to the pattern, put that in quotes: pattern="^a ""b""$"`,
		head + "-- param: a string enum=a, b\nSELECT $a":                       `a.sql:2: enum of a: it has an empty value: write "" for the empty string`,
		head + "-- param: a string default=\"b c\" d\nSELECT $a":               `a.sql:2: "d" is nothing that can be said of a parameter of type string; write -- param: NAME TYPE`,
		head + "-- param: a string default='s-Hertogenbosch -- x\nSELECT $a":   `a.sql:2: default has a quote without an end: 's-Hertogenbosch -- x; put the whole value in quotes and write a quote inside of them twice`,
		head + "-- param: a string default='a'b'\nSELECT $a":                   `a.sql:2: default has "b'" behind its quotes; put`,
		head + "-- param: a string default\nSELECT $a":                         `a.sql:2: "default" is nothing that can be said`,
		head + "-- param: a date-time default=\"2001-01-31 12:00\"\nSELECT $a": `a.sql:2: the default "2001-01-31 12:00" of a is not valid: it must be a date-time of RFC 3339 such as`,
		head + "-- param: a string\nSELECT 1":                                  "a.sql:2: the parameter a is never used; use $a",
		head + "-- param: a string\nSELECT '$a'":                               "a.sql:2: the parameter a is never used",
		head + "SELECT 1,\n  $b":                                               "a.sql:3: the parameter $b is not declared; add to the header: -- param: b TYPE",
		head + "SELECT ?":                                                      "a.sql:2: has the parameter ?; name it",
		head + "SELECT $1":                                                     "a.sql:2: has a parameter without a name",
		head + "SELECT 1;\nSELECT 2":                                           "a.sql:3: has several statements; keep one",
		head + "\n\nDELETE FROM flights":                                       "a.sql:2: is not a query",
		head + "(SELECT 1)":                                                    "a.sql:2: is not a query",
		head + "SELECT 'a\nb":                                                  "a.sql:2: has a quote without an end; close it with '",
		head + "SELECT 1 /* a":                                                 "a.sql:2: has a comment without an end",
		head + "SELECT $a$ b":                                                  "a.sql:2: has a quote without an end; close it with $a$",
		head + "-- order: a up\nSELECT 1":                                      `a.sql:2: "a up" is no order; write COLUMN`,
		head + "-- order:\nSELECT 1":                                           `a.sql:2: "" is no order`,
		head + "-- order: a, a desc\nSELECT 1":                                 "a.sql:2: order names a twice",
		head + "-- order: a; DROP TABLE x\nSELECT 1":                           "is no order",
		head + "-- order: a\n-- order: b\nSELECT 1":                            "a.sql:3: order is declared on line 2 already",
		head + "-- cache: soon\nSELECT 1":                                      `a.sql:2: "soon" is no time to cache; write a duration`,
		head + "-- cache: -1s\nSELECT 1":                                       `a.sql:2: "-1s" is no time to cache`,
		head + "-- column:\nSELECT 1":                                          `a.sql:2: "" names no column; write -- column: NAME [unit=U]`,
		head + "-- column: a\nSELECT 1 AS a":                                   "a.sql:2: says nothing about the column a; write -- column: NAME",
		head + "-- column: \"a b\" -- x\nSELECT 1":                             `a.sql:2: "\"a b\" -- x" names no column`,
		head + "-- column: a minutes -- x\nSELECT 1":                           `a.sql:2: "minutes" is nothing that can be said of a column; write`,
		head + "-- column: a unit= -- x\nSELECT 1":                             `a.sql:2: "unit=" is nothing that can be said of a column`,
		head + "-- column: a unit=m unit=s\nSELECT 1":                          "a.sql:2: unit is given twice; remove one",
		head + "-- column: a unit='m -- x\nSELECT 1":                           "a.sql:2: unit has a quote without an end: 'm -- x; put",
		head + "-- column: a -- x\n-- column: a -- y\nSELECT 1":                "a.sql:3: the column a is declared on line 2 already; remove",
		head + "SELECT 1\n-- column: a -- x":                                   "a.sql:3: column: stands below the header; move it up",
		head + "-- chart: pie x=a y=b\nSELECT 1":                               `a.sql:2: "pie" is no kind of chart; write bar, line, area, scatter, histogram, heatmap, and then x=COLUMN y=COLUMN`,
		head + "-- chart: hist x=a\nSELECT 1":                                  `a.sql:2: "hist" is no kind of chart`,
		head + "-- chart:\nSELECT 1":                                           `a.sql:2: "" is no kind of chart`,
		head + "-- chart: bar x=a x=b\nSELECT 1":                               "a.sql:2: x= is given twice; write -- chart: bar x=COLUMN y=COLUMN[,COLUMN…] [series=COLUMN]",
		head + "-- chart: bar x=a y=b z=c\nSELECT 1":                           `a.sql:2: "z=c" is nothing that can be said of a chart of kind bar; write -- chart: bar`,
		head + "-- chart: bar y=b\nSELECT 1":                                   "a.sql:2: the chart has no x; write",
		head + "-- chart: line x=a\nSELECT 1":                                  "a.sql:2: the chart has no y; write",
		head + "-- chart: line x=a,b y=c\nSELECT 1":                            "a.sql:2: x= names several columns, of which there can be one; write",
		head + "-- chart: line x=a y=b,b\nSELECT 1":                            "a.sql:2: y= names b twice; write",
		head + "-- chart: line x=a y=b,\nSELECT 1":                             `a.sql:2: "" in y= is no name of a column; write`,
		head + "-- chart: line x=a y=b,c,d,e,f,g,h,i,j\nSELECT 1":              "a.sql:2: y= names more than 8 columns; write",
		head + "-- chart: line x=a y=b,c series=d\nSELECT 1":                   "a.sql:2: the chart has several columns y and a column of series; name one column y, or leave out series=",
		head + "-- chart: histogram x=a y=b\nSELECT 1":                         `a.sql:2: "y=b" is nothing that can be said of a chart of kind histogram; write -- chart: histogram x=COLUMN`,
		head + "-- chart: heatmap x=a value=b\nSELECT 1":                       "a.sql:2: the heat map has a value and no y; write -- chart: heatmap x=COLUMN [y=COLUMN] [value=COLUMN]",
		head + "SELECT 1\n-- cache: 1s":                                        "a.sql:3: cache: stands below the header; move it up",
		head + "SELECT '\xff'":                                                 "a.sql: is not UTF-8 text",
	} {
		_, err := endpoint.Parse("a.sql", text)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q:\n got %v\nwant %s", text, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "is not declared") && !strings.Contains(want, "is not declared") {
			t.Errorf("%q: a follow-up error: %v", text, err)
		}
		var parse *endpoint.ParseError
		if !errors.As(err, &parse) || parse.Fix == "" {
			t.Errorf("%q: the error has no way out: %v", text, err)
		}
	}
}

func TestParseReportsEveryError(t *testing.T) {
	t.Parallel()
	_, err := endpoint.Parse("A.sql", departures+"\n-- cache: 2s")
	for _, want := range []string{"A.sql: the name", `default ".5e0"`, "cache: stands below"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want also %s", err, want)
		}
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	fsys := fstest.MapFS{
		"sales/contract.json":     file("{}"),
		"sales/views.sql":         file("CREATE VIEW x AS SELECT 1"),
		"sales/mapping.sql":       file("SELECT 1"),
		"sales/totals.sql":        file("-- Totals.\nSELECT 1"),
		"sales/endpoints/all.sql": file("-- All.\nSELECT 2"),
		"sales/notes/other.sql":   file("none of ours"),
	}
	endpoints, err := endpoint.Load(fsys, "sales")
	if err != nil || len(endpoints) != 2 || endpoints[0].Name != "all" || endpoints[1].File != "sales/totals.sql" {
		t.Errorf("%+v, %v", endpoints, err)
	}
	fsys["sales/endpoints/totals.sql"] = file("-- Totals, again.\nSELECT 3")
	if _, err = endpoint.Load(fsys, "sales"); err == nil || !strings.Contains(err.Error(), "is in sales/") {
		t.Errorf("the same name twice: %v", err)
	}
	fsys["sales/endpoints/totals.sql"] = file("-- Big.\nSELECT '" + strings.Repeat("x", 1<<20) + "'")
	if _, err = endpoint.Load(fsys, "sales"); err == nil || !strings.Contains(err.Error(), "an endpoint has at most 1 MiB") {
		t.Errorf("a file of 1 MiB: %v", err)
	}
	if _, err = endpoint.Load(fsys, "none"); err == nil {
		t.Error("a folder that isn't there was loaded")
	}
}

// Every value survives a round trip through a header, and through an enum.
func FuzzQuotes(f *testing.F) {
	for _, seed := range []string{"", "New York", `"`, "'", `''"" -- x`, "a,b", "é=\u00a0", `^\d "x"$`, "required"} {
		f.Add(seed, seed)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if !utf8.ValidString(a) || !utf8.ValidString(b) || strings.ContainsAny(a+b, "\x00\n") {
			return
		}
		double := func(s string) string { return `"` + strings.ReplaceAll(s, `"`, `""`) + `"` }
		single := func(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
		e, err := endpoint.Parse("a.sql", "-- A.\n-- param: p string enum="+double(a)+","+single(b)+" default="+double(b)+" example="+single(a)+" -- d\nSELECT $p")
		if err != nil {
			t.Fatal(err)
		}
		want := []endpoint.Param{{Name: "p", Type: "string", Enum: []string{a, b}, Default: b, Example: a, Description: "d"}}
		if !reflect.DeepEqual(e.Params, want) {
			t.Errorf("got  %+v\nwant %+v", e.Params, want)
		}
	})
}

// The parser terminates for every file, and what it accepts is complete.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		departures, "-- A.\nSELECT 1", "-- A.\r\n-- cache: 1s\r\nSELECT 1\r\n", "-- A.\nWITH a AS (SELECT 1) SELECT * FROM a;--",
		"-- A.\n-- param: p number enum=1,2 default=2.0 -- d\nSELECT $p$p$p", "-- A.\n-- column: a unit=\"m s\" example=1 -- d\n-- column: b unit='\nSELECT 1 AS a", "-- A.\nSELECT e'\\", "-- A.\nSELECT /*/", "\ufeff-- A.\nSELECT $é",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		e, err := endpoint.Parse("dir/file.sql", text)
		if err != nil {
			if !strings.Contains(err.Error(), "dir/file.sql") {
				t.Errorf("the error names no file: %v", err)
			}
			return
		}
		if e.Summary == "" || !strings.HasSuffix(strings.TrimPrefix(text, "\ufeff"), e.SQL) {
			t.Errorf("%q gives %+v", text, e)
		}
		for i, c := range e.Columns {
			same := func(o endpoint.ColumnText) bool { return o.Name == c.Name }
			if c.Name == "" || c.Unit+c.Description == "" && c.Example == nil || slices.ContainsFunc(e.Columns[:i], same) {
				t.Errorf("%q gives %+v", text, c)
			}
		}
		for _, p := range e.Params {
			if p.Required && p.Default != nil || !strings.Contains(e.SQL, "$"+p.Name) {
				t.Errorf("%q gives %+v", text, p)
			}
		}
	})
}
