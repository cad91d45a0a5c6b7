package inference_test

import (
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/inference"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func profile(t *testing.T, texts bool, docs ...string) *inference.Profile {
	t.Helper()
	p := inference.New(texts)
	var split contract.Splitter
	for _, doc := range docs {
		members, violations := split.Split([]byte(doc))
		if violations != nil {
			t.Fatal(doc, violations)
		}
		p.Add(members)
	}
	return p
}

// TestTypes holds what a column of these values is.
func TestTypes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ values, texts, json string }{
		{`"1","-20","0"`, "integer", "string"},
		{`"1","2.5","1e3"`, "number", "string"},
		{`"007","010"`, "string", "string"},
		{`"1234567890123456","1"`, "string", "string"},
		{`"+34600112233"`, "string", "string"},
		{`"true","false"`, "boolean", "string"},
		{`"True","no"`, "string", "string"},
		{`"2026-02-01","2026-02-28"`, "string date", "string date"},
		{`"2026-02-01","2026-02-30"`, "string", "string"},
		{`"2026-02-01T06:00:00Z","2026-02-01T06:00:00+01:00"`, "string date-time", "string date-time"},
		{`"2026-02-01 06:00","2026-02-01 06:00:01.5"`, "string date-time local", "string date-time local"},
		{`"31/01/2026","01/02/2026"`, "string date day", "string date day"},
		{`"01/31/2026","02/01/2026"`, "string date month", "string date month"},
		{`"01/02/2026","03/02/2026"`, "string ?", "string ?"},
		{`"1.234,5","3,7"`, "number comma", "string"},
		{`"1,234","3"`, "number comma", "string"},
		{`"123e4567-e89b-12d3-a456-426614174000","a23E4567-e89b-12d3-a456-426614174000"`, "string uuid", "string uuid"},
		{`1,2,3`, "integer", "integer"},
		{`1,2.5`, "number", "number"},
		{`true,false`, "boolean", "boolean"},
		{`1,"a"`, " ?", " ?"},
		{`{"a":1},{}`, "object", "object"},
		{`[1],[]`, "array", "array"},
		{`null,null`, "string ?", "string ?"},
	} {
		var docs []string
		for _, v := range split(c.values) {
			docs = append(docs, `{"c":`+v+`}`)
		}
		for texts, want := range map[bool]string{true: c.texts, false: c.json} {
			if got := describe(profile(t, texts, docs...).Columns()[0]); got != want {
				t.Errorf("%s (texts: %t) is %q, want %q", c.values, texts, got, want)
			}
		}
	}
}

// split cuts at the commas between values.
func split(values string) []string {
	if strings.HasPrefix(values, `"`) {
		all := strings.Split(values, `","`)
		for i := range all {
			all[i] = `"` + strings.Trim(all[i], `"`) + `"`
		}
		return all
	}
	return strings.Split(values, ",")
}

func describe(c inference.Column) string {
	words := []string{c.Type, c.Format, []string{"", "local", "day", "month", "comma"}[c.Layout], ""}
	if c.Note != "" && c.Layout == inference.Plain {
		words[3] = "?"
	}
	text := c.Type
	for _, w := range words[1:] {
		if w != "" {
			text += " " + w
		}
	}
	return text
}

// TestNames holds the names of properties.
func TestNames(t *testing.T) {
	t.Parallel()
	p := profile(t, true, `{"Flight Date":"","flight_date":"","Año":"","2020":"","":"","%":"","Σ":"","`+strings.Repeat("long ", 60)+`":"","A-B (c)":""}`)
	var got []string
	for _, c := range p.Columns() {
		got = append(got, c.Property)
	}
	want := "flight_date flight_date_2 ano column_2020 column column_2 column_3 " + strings.TrimRight(strings.Repeat("long_", 60)[:59], "_") + " a_b_c"
	if strings.Join(got, " ") != want {
		t.Errorf("names are\n%s, want\n%s", strings.Join(got, " "), want)
	}
}

// TestKeys holds which columns identify a row.
func TestKeys(t *testing.T) {
	t.Parallel()
	var rows []string
	for i := range 30_000 {
		rows = append(rows, fmt.Sprintf(`{"constant":1,"day":%d,"hour":%d,"id":"%d","late":%d}`, i/24, i%24, i, min(i, 25_000)))
	}
	if got := fmt.Sprint(profile(t, true, rows...).Key().Columns); got != "[id]" {
		t.Errorf("the key is %s", got)
	}
	for i := range rows {
		rows[i] = strings.Replace(rows[i], `"id":"`, `"x":"7","y":"`, 1)[:strings.Index(rows[i], `,"id"`)] + "}"
	}
	if got := fmt.Sprint(profile(t, true, rows...).Key().Columns); got != "[day hour]" {
		t.Errorf("the key is %s", got)
	}
	rows = append(rows, rows[0])
	if got := fmt.Sprint(profile(t, true, rows...).Key().Columns); got != "[]" {
		t.Errorf("the key is %s, of a file with two rows alike", got)
	}
}
