package inference_test

import (
	"errors"
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
		if err := p.Add(members); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// TestTypes holds what a column of these values is.
func TestTypes(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ values, texts, json string }{
		{`"1","-20","0"`, "integer", "string"},
		{`"1","2.5","1e+3"`, "number", "string"},
		{`"0.8444218515250481","0.00012345678901234567"`, "number", "string"},
		{`"1E5","99"`, "string", "string"},
		{`"007","010"`, "string", "string"},
		{`"1234567890123456","1"`, "string", "string"},
		{`"+34600112233"`, "string", "string"},
		{`"true","false"`, "boolean", "string"},
		{`"True","FALSE"`, "boolean any", "string"},
		{`"True","no"`, "string", "string"},
		{`"2026-02-01","2026-02-28"`, "string date", "string date"},
		{`"2026-02-01","2026-02-30"`, "string", "string"},
		{`"2026-02-01T06:00:00Z","2026-02-01T06:00:00+01:00"`, "string date-time", "string date-time"},
		{`"2026-02-01 06:00","2026-02-01 06:00:01.5"`, "string date-time local", "string date-time local"},
		{`"2026-02-01 06:00:00+00","2026-02-01T06:00:00Z"`, "string date-time loose", "string date-time loose"},
		{`"2026-02-01 06:00:00+01:00","2026-02-01 06:00"`, "string date-time loose", "string date-time loose"},
		{`"2026-02-01 25:00"`, "string", "string"},
		{`"31/01/2026","01/02/2026"`, "string date day", "string date day"},
		{`"31/1/2026","1/2/2026"`, "string date day", "string date day"},
		{`"01/31/2026","02/01/2026"`, "string date month", "string date month"},
		{`"31.01.2026 14:05","01.02.2026"`, "string date-time day-time", "string date-time day-time"},
		{`"1/31/2026 14:05:59","2/1/2026 14:05"`, "string date-time month-time", "string date-time month-time"},
		{`"1/31/2026 24:05","2/1/2026 14:05"`, "string", "string"},
		{`"01/02/2026","03/02/2026"`, "string ?", "string ?"},
		{`"1.234,5","3,7"`, "number comma", "string"},
		{`"1,5","1234","1.234"`, "number comma", "string"},
		{`"1.5","2,5"`, "string", "string"},
		{`"1,234.5","3"`, "number grouped", "string"},
		{`"1,234","12.5"`, "number grouped", "string"},
		{`"1,234","3"`, "string ?", "string"},
		{`"1.234","3"`, "number ?", "string"},
		{`"1.234","3.5"`, "number", "string"},
		{`"12","NA","-"`, "integer missing", "string"},
		{`"x","NA"`, "string", "string"},
		{`"NA","NULL"`, "string ?", "string"},
		{`"123e4567-e89b-12d3-a456-426614174000","a23E4567-e89b-12d3-a456-426614174000"`, "string uuid", "string uuid"},
		{`"{\"a\":1}","{}"`, "object", "string"},
		{`"[1]","[x"`, "string", "string"},
		{`1,2,3`, "integer", "integer"},
		{`1,9223372036854775808`, "string ?", "string ?"},
		{`1,2.5`, "number", "number"},
		{`true,false`, "boolean", "boolean"},
		{`1,"a"`, "string ?", "string ?"},
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
	words := []string{c.Type, c.Format, []string{"", "local", "loose", "day", "month", "day-time", "month-time", "comma", "grouped", "any"}[c.Layout], ""}
	if c.Missing != nil {
		words[3] = "missing"
	} else if c.Note != "" && c.Layout == inference.Plain {
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
	long := strings.Repeat("long ", 40)
	for names, want := range map[string]string{
		"Flight Date|flight_date|FlightDate":      "flight_date_2 flight_date flight_date_3",
		"ID|id|Id":                                "id_2 id id_3",
		"Año|Straße|Größe (m²)|Discount %|userID": "ano strasse grosse_m discount_pct user_id",
		"2020||Σ|_shard|_row|order":               "column_2020 column_2 column_3 shard row order",
		long + "|" + long + "x":                   strings.Repeat("long_", 12)[:59] + " " + strings.Repeat("long_", 12)[:59] + "_2",
	} {
		var doc []string
		for name := range strings.SplitSeq(names, "|") {
			doc = append(doc, fmt.Sprintf("%q:1", name))
		}
		var got []string
		for _, c := range profile(t, true, "{"+strings.Join(doc, ",")+"}").Columns() {
			got = append(got, c.Property)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s becomes\n%s, want\n%s", names, strings.Join(got, " "), want)
		}
	}
}

// TestTooManyColumns: names that are values end the pass instead of filling the memory.
func TestTooManyColumns(t *testing.T) {
	t.Parallel()
	p := inference.New(false)
	for i := range inference.MaxColumns {
		if err := p.Add([]contract.Member{{Name: fmt.Append(nil, "c", i), Value: []byte("1")}}); err != nil {
			t.Fatal(i, err)
		}
	}
	err := p.Add([]contract.Member{{Name: []byte("one more"), Value: []byte("1")}})
	if many := (*inference.TooManyColumnsError)(nil); !errors.As(err, &many) {
		t.Error(err)
	}
}

// TestSaturated: few values are all there are only if no new one came late.
func TestSaturated(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		rows, last int
		want       bool
	}{{1000, 90, true}, {1000, 200, false}, {500, 3, false}, {5000, 490, true}} {
		docs := make([]string, c.rows)
		for i := range docs {
			docs[i] = fmt.Sprintf(`{"c":"%c"}`, 'a'+i%2)
		}
		docs[c.last] = `{"c":"late"}`
		if got := profile(t, true, docs...).Columns()[0]; got.Saturated != c.want || got.Distinct != 3 {
			t.Errorf("%d rows, the last new value in row %d: settled is %t of %d values", c.rows, c.last, got.Saturated, got.Distinct)
		}
	}
}
