package importer_test

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/importer"
	"github.com/estela-dev/estela/services/internal/tabular"
)

// mappedReference reads one row that joins the reference table "things".
func mappedReference(csv, query string) importer.Config {
	return importer.Config{
		Reader: strings.NewReader("a\n1\n"), Format: tabular.CSV, MappingName: "mapping.sql",
		Mapping: query, References: map[string][]byte{"things": []byte(csv)},
	}
}

// What is joined compares as text: nothing is guessed from how it looks.
func TestReferenceIsText(t *testing.T) {
	t.Parallel()
	const csv = "sku,n\n12E4,a\n12E5,b\n1200E3,c\n007,d\n7,e\n9223372036854775809,f\n9223372036854775811,g\ntrue,\n2001-01-01,\"\"\n"
	expectRead(t, mappedReference(csv, "SELECT sku, n, typeof(sku) AS t, (SELECT count(*) FROM things AS o WHERE o.sku = things.sku) AS same FROM things ORDER BY rowid"),
		`1 {"sku":"12E4","n":"a","t":"VARCHAR","same":1}`,
		`2 {"sku":"12E5","n":"b","t":"VARCHAR","same":1}`,
		`3 {"sku":"1200E3","n":"c","t":"VARCHAR","same":1}`,
		`4 {"sku":"007","n":"d","t":"VARCHAR","same":1}`,
		`5 {"sku":"7","n":"e","t":"VARCHAR","same":1}`,
		`6 {"sku":"9223372036854775809","n":"f","t":"VARCHAR","same":1}`,
		`7 {"sku":"9223372036854775811","n":"g","t":"VARCHAR","same":1}`,
		`8 {"sku":"true","t":"VARCHAR","same":1}`,
		`9 {"sku":"2001-01-01","n":"","t":"VARCHAR","same":1}`,
	)
}

// A header may say a type; its values are read as an event's are.
func TestReferenceTypes(t *testing.T) {
	t.Parallel()
	const csv = "s:string;dc:title:string;i:integer;n:number;b:boolean;d:date;t:date-time;u:uuid\n" +
		"007;x;1e3;0.5;true;0000-02-29;2001-01-01t00:00:00.1234567+01:00;123E4567-e89b-12d3-a456-426614174000\n;;;;;;;\n"
	expectRead(t, mappedReference(csv, `SELECT * FROM things ORDER BY s`),
		`1 {"s":"007","dc:title":"x","i":1000,"n":0.5,"b":true,"d":"0000-02-29","t":"2000-12-31T23:00:00.123456Z","u":"123e4567-e89b-12d3-a456-426614174000"}`,
		`2 {}`)
	expectRead(t, mappedReference(csv, `SELECT column_type FROM (DESCRIBE things)`),
		`1 {"column_type":"VARCHAR"}`, `2 {"column_type":"VARCHAR"}`, `3 {"column_type":"BIGINT"}`, `4 {"column_type":"DOUBLE"}`,
		`5 {"column_type":"BOOLEAN"}`, `6 {"column_type":"DATE"}`, `7 {"column_type":"TIMESTAMP WITH TIME ZONE"}`, `8 {"column_type":"UUID"}`)
}

// Every line that is no row is named, with its column, and none is loaded.
func TestReferenceFaults(t *testing.T) {
	t.Parallel()
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	if _, err := z.Write([]byte("k,v\n1,2,3\n")); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	for csv, want := range map[string]string{
		"k,v\n1,2\n3,4,5\n6,7\n8\n": "reference/things.csv: line 3: has 3 fields, the header has 2: a field with a comma in it must be in quotes\n" +
			"reference/things.csv: line 5: has 1 fields, the header has 2",
		"k,k\n1,2\n":                  `reference/things.csv: line 1: the header names "k" twice, columns 1 and 2`,
		"k,_Line\n1,2\n":              `reference/things.csv: header: "_Line" is the name of a system column, which * does not select: rename it`,
		"k,K\n1,2\n":                  `reference/things.csv: header: "k" and "K" are one name to SQL: rename one of them`,
		"k,k:integer\n1,2\n":          `reference/things.csv: header: "k" and "k:integer" are one name to SQL: rename one of them`,
		"k,\n1,2\n":                   "reference/things.csv: line 1: column 2 of the header has no name",
		"k,:integer\n1,2\n":           `reference/things.csv: header: ":integer" can't be a column's name`,
		"k,v:int\n1,2\n":              `reference/things.csv: header: "v:int" names no type behind its colon: there are string, integer, number, boolean, date, date-time and uuid; where the colon belongs to the name, add :string`,
		"":                            "reference/things.csv: it is empty: it should begin with a header that names the columns",
		"k,v\n1,\xff\n":               "reference/things.csv: line 2: column v: holds bytes that are not UTF-8: save the file as UTF-8",
		"k,v\xff\n1,2\n":              "reference/things.csv: line 1: column 2 of the header: holds bytes that are not UTF-8: save the file as UTF-8",
		"k,v\n1,a\x00\n":              "reference/things.csv: line 2: column v: holds the character U+0000, which a text column can't keep",
		"k,v\n1,\"a\n":                "reference/things.csv: line 2: has a quote before field 2 that is never closed",
		"k,v:integer\n\na,1\nb,1.5\n": "reference/things.csv: line 4: column v: must be an integer, found \"1.5\"",
		"k,v:date\n\"a\nb\",2001-13-01\nc,\"\"\n": "reference/things.csv: line 2: column v: must be a date such as 2001-01-31, found \"2001-13-01\"\n" +
			"reference/things.csv: line 4: column v: must be a date such as 2001-01-31, found \"\"",
		"k:integer\n" + strings.Repeat("x\n", 12): "\nreference/things.csv: 2 more lines have errors",
		`{"k":1}` + "\n": "reference/things.csv: is ndjson: reference tables are CSV",
		packed.String():  "reference/things.csv: line 2: has 3 fields, the header has 2",
	} {
		f, err := importer.Open(t.Context(), mappedReference(csv, "SELECT 1 AS a"))
		if err == nil {
			err = f.Close()
			t.Errorf("%q was loaded: %v", csv, err)
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%q:\n got %v\nwant %s", csv, err, want)
		}
	}
}
