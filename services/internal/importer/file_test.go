package importer_test

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/importer"
	"github.com/estela-dev/estela/services/internal/tabular"
)

// read gives each row as "line document" or "line !problem".
func read(t *testing.T, cfg importer.Config) []string {
	t.Helper()
	got, err := tryRead(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func tryRead(t *testing.T, cfg importer.Config) ([]string, error) {
	t.Helper()
	f, err := importer.Open(t.Context(), cfg)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	}()
	var got []string
	err = f.Each(t.Context(), func(d importer.Document) error {
		if d.Problem != nil {
			got = append(got, fmt.Sprintf("%d !%v", d.Line, d.Problem))
		} else {
			got = append(got, fmt.Sprintf("%d %s", d.Line, d.JSON))
		}
		return nil
	})
	return got, err
}

func expectRead(t *testing.T, cfg importer.Config, want ...string) {
	t.Helper()
	if got := read(t, cfg); !reflect.DeepEqual(got, want) {
		t.Errorf("\n got %s\nwant %s", strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}

const dirty = "\xef\xbb\xbfid,delay,note\n" + // 1
	"1,2,a\n" + // 2
	"\n" + // 3
	"2,x,b\n" + // 4
	"3,4,\"two\nlines \"\"quoted\"\"\"\n" + // 5, 6
	"4,5\n" + // 7
	"007,-1.5e3,\n" + // 8
	"8,true,\"a \"b\" c\"\n" + // 9
	"9,1,\xff\n" + // 10
	"10,11,é\\\t\n" // 11

// shapeOf is what a contract with these properties says: name -> schema.
func shapeOf(t *testing.T, properties string) contract.Shape {
	t.Helper()
	c, err := contract.Parse("things", "contract.json", []byte(`{"type":"object","x-estela":{"key":"id","time":"at"},"required":["id","at"],"properties":{
		"id":{"type":"string"},"at":{"type":"string","format":"date-time"}`+properties+`}}`))
	if err != nil {
		t.Fatal(err)
	}
	return c.Shape()
}

func TestCSV(t *testing.T) {
	t.Parallel()
	expectRead(t, importer.Config{
		Reader: strings.NewReader(dirty), Format: tabular.CSV,
		Shape: shapeOf(t, `,"delay":{"type":"number"},"note":{"type":"string"}`),
	},
		`2 {"id":"1","delay":2,"note":"a"}`,
		`4 {"id":"2","delay":"x","note":"b"}`,
		`5 {"id":"3","delay":4,"note":"two\nlines \"quoted\""}`,
		`7 !has 2 fields, the header has 3`,
		`8 {"id":"007","delay":-1.5e3}`,
		`9 !has text after the quotes of field 3: write a quote inside of quotes twice`,
		`10 !column note: holds bytes that are not UTF-8: say which encoding the file is in, such as --encoding windows-1252`,
		`11 {"id":"10","delay":11,"note":"é\\\t"}`,
	)
}

func TestCSVTypes(t *testing.T) {
	t.Parallel()
	expectRead(t, importer.Config{
		Reader: strings.NewReader("id;n;flag;data;day;free\n1;2;true;\"{\"\"a\"\":[1]}\";2001;x\n007;x;maybe;{;;\n8;\"\";\"\";\"\";\"\";\"\"\n9;1,5;;;;\n10;;;;;12,5\n11;;TRUE;;;\n"),
		Format: tabular.CSV,
		Shape:  shapeOf(t, `,"n":{"type":"integer"},"flag":{"type":"boolean"},"data":{"type":"object"},"day":{"type":"string","format":"date"},"free":{"type":"string"}`),
	},
		`2 {"id":"1","n":2,"flag":true,"data":{"a":[1]},"day":"2001","free":"x"}`,
		`3 {"id":"007","n":"x","flag":"maybe","data":"{"}`,
		`4 {"id":"8","free":""}`,
		`5 !column n: has a decimal comma where numbers have a point: use a mapping, such as SELECT * REPLACE (replace(replace("n", '.', ''), ',', '.') AS "n") FROM source`,
		`6 {"id":"10","free":"12,5"}`,
		`7 !column flag: has "TRUE" where booleans are true and false: use a mapping, such as SELECT * REPLACE (lower("flag") AS "flag") FROM source`,
	)
}

func TestCSVWithMapping(t *testing.T) {
	t.Parallel()
	expectRead(t, importer.Config{
		Reader: strings.NewReader(dirty), Format: tabular.CSV,
		Mapping:    "SELECT _row, 'id-' || id AS id, TRY_CAST(delay AS INTEGER) AS delay, place, note\nFROM source LEFT JOIN places ON places.code = source.id ORDER BY _row; -- end",
		References: map[string][]byte{"places": []byte("code,place\n1,\"one, or so\"\n3,three\n")},
	},
		`7 !has 2 fields, the header has 3`,
		`9 !has text after the quotes of field 3: write a quote inside of quotes twice`,
		`10 !column note: holds bytes that are not UTF-8: say which encoding the file is in, such as --encoding windows-1252`,
		`2 {"id":"id-1","delay":2,"place":"one, or so","note":"a"}`,
		`4 {"id":"id-2","note":"b"}`,
		`5 {"id":"id-3","delay":4,"place":"three","note":"two\nlines \"quoted\""}`,
		`8 {"id":"id-007","delay":-1500}`,
		`11 {"id":"id-10","delay":11,"note":"é\\\t"}`,
	)
}

func TestNDJSON(t *testing.T) {
	t.Parallel()
	const text = "{\"a\":1}\n\n  {\"a\": 12345678901234567890.123 }\r\nnot json\n{\"a\":\"last\"}"
	expectRead(t, importer.Config{Reader: strings.NewReader(text), Format: tabular.NDJSON},
		`1 {"a":1}`, `3 {"a": 12345678901234567890.123 }`, `4 not json`, `5 {"a":"last"}`)
	expectRead(t, importer.Config{
		Reader: strings.NewReader(`{"a":1}` + "\n\n[1]\n{\n{}\n" + `{"a":2,"b":{"c":"d"}}`), Format: tabular.NDJSON,
		Mapping: "SELECT _row, a + 1 AS more, b FROM source ORDER BY _row",
	}, `3 !must be object, found array`, `4 !lacks a property's name in quotes (byte 1)`, `1 {"more":2}`, `5 {}`, `6 {"more":3,"b":{"c":"d"}}`)
}

func TestLongLine(t *testing.T) {
	t.Parallel()
	long := bytes.Repeat([]byte("x"), 17<<20)
	in := bytes.NewReader(bytes.Join([][]byte{[]byte(`{"a":1}`), long, []byte(`{"a":3}`)}, []byte("\n")))
	expectRead(t, importer.Config{Reader: in, Format: tabular.NDJSON},
		`1 {"a":1}`, `2 !is longer than 16777216 bytes`, `3 {"a":3}`)
}

// writeParquet makes a Parquet file of a query.
func writeParquet(t *testing.T, query string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "it's a file.parquet")
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	quoted := strings.ReplaceAll(path, "'", "''")
	if _, err := db.ExecContext(t.Context(), "COPY ("+query+") TO '"+quoted+"' (FORMAT parquet)"); err != nil {
		t.Fatal(err)
	}
	return path
}

const everyType = `SELECT 'a"b' AS text, 1::TINYINT AS tiny, 2.50::DECIMAL(4,2) AS dec, 1e20::DOUBLE AS big, true AS flag,
	DATE '2001-01-13' AS day, TIMESTAMP '2001-01-13 14:56:00' AS local, TIMESTAMPTZ '2001-01-13 14:56:00.25-03' AS at,
	TIMESTAMP_NS '2001-01-13 14:56:00.123456789' AS nanos, [1, 2] AS list, {'x': 1, 'y': NULL} AS nested,
	'00000000-0000-0000-0000-000000000001'::UUID AS ref, NULL::VARCHAR AS nothing, '{"j":[null]}'::JSON AS j
	UNION ALL BY NAME SELECT 'second' AS text`

func TestParquet(t *testing.T) {
	t.Parallel()
	cfg := importer.Config{Path: writeParquet(t, everyType), Format: tabular.Parquet}
	want := []string{
		`1 {"text":"a\"b","tiny":1,"dec":2.50,"big":100000000000000000000,"flag":true,"day":"2001-01-13",` +
			`"local":"2001-01-13T14:56:00","at":"2001-01-13T17:56:00.25Z","nanos":"2001-01-13T14:56:00.123456789",` +
			`"list":[1,2],"nested":{"x":1},"ref":"00000000-0000-0000-0000-000000000001","j":{"j":[null]}}`,
		`2 {"text":"second"}`,
	}
	expectRead(t, cfg, want...)
	content, err := os.ReadFile(cfg.Path)
	if err != nil {
		t.Fatal(err)
	}
	expectRead(t, importer.Config{Reader: bytes.NewReader(content), Format: tabular.Parquet}, want...)
	cfg.Mapping = "SELECT text FROM source ORDER BY _row DESC"
	expectRead(t, cfg, `1 {"text":"second"}`, `2 {"text":"a\"b"}`)
}

// TestLocalTimeToUTC is what the flights' mapping does: local time becomes UTC by
// the zone of the airport.
func TestLocalTimeToUTC(t *testing.T) {
	t.Parallel()
	expectRead(t, importer.Config{
		Path:       writeParquet(t, "SELECT * FROM (VALUES ('LAX', TIMESTAMP '2001-07-01 08:00:00'), ('SCL', '2001-01-01 08:00:00'), ('XXX', '2001-01-01 08:00:00')) t(origin, local)"),
		Format:     tabular.Parquet,
		Mapping:    `SELECT _row, origin, zone, timezone(zone, local) AS at FROM source LEFT JOIN airports ON iata = origin ORDER BY _row`,
		References: map[string][]byte{"airports": []byte("iata,zone\nLAX,America/Los_Angeles\nSCL,America/Santiago\nXXX,\n")},
	},
		`1 {"origin":"LAX","zone":"America/Los_Angeles","at":"2001-07-01T15:00:00Z"}`,
		`2 {"origin":"SCL","zone":"America/Santiago","at":"2001-01-01T11:00:00Z"}`,
		`3 {"origin":"XXX"}`,
	)
}

func TestFileErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path, cut, latin := filepath.Join(dir, "text.parquet"), filepath.Join(dir, "cut.parquet"), filepath.Join(dir, "latin.csv")
	whole := readFile(t, writeParquet(t, "SELECT range AS n FROM range(1000)"))
	for file, text := range map[string]string{path: "text", cut: whole[:len(whole)-100], latin: "gauge,h\xf6he\na,1\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	shape := shapeOf(t, `,"gauge":{"type":"string"},"height":{"type":"number"}`)
	for name, test := range map[string]struct {
		cfg  importer.Config
		want string
	}{
		"Parquet that is cut off": {importer.Config{Path: cut}, "cut.parquet: it is a Parquet file and cut off or damaged: its end is missing"},
		"another separator": {
			importer.Config{Reader: strings.NewReader("gauge;height\na;1\n"), Format: tabular.TSV, Shape: shape},
			`line 1: the header has no tab: "gauge;height"; --format csv finds out what separates the fields`,
		},
		"no header": {
			importer.Config{Reader: strings.NewReader("a1,20\na2,21\n"), Shape: shape},
			`line 1: the contract has no column of this header: "a1", "20"; a file begins with a line that names the columns`,
		},
		"part of a dataset": {
			importer.Config{Path: latin, Name: "things/sample.csv", Shape: shape},
			"read things/sample.csv: line 1: column 2 of the header: holds bytes that are not UTF-8: save the file as UTF-8",
		},
		"no file":            {importer.Config{Path: "missing.csv", Format: tabular.CSV}, "missing.csv"},
		"no such format":     {importer.Config{Path: path, Format: "xml"}, "csv, tsv, ndjson, json or parquet"},
		"not Parquet":        {importer.Config{Path: path, Format: tabular.Parquet}, "text.parquet"},
		"empty CSV":          {importer.Config{Reader: strings.NewReader(""), Format: tabular.CSV}, "header"},
		"faulty mapping":     {importer.Config{Reader: strings.NewReader("a\n1\n"), Format: tabular.CSV, Mapping: "SELECT b FROM source"}, `"b"`},
		"mapping that fails": {importer.Config{Reader: strings.NewReader("a\nx\n"), Format: tabular.CSV, Mapping: "SELECT a::INTEGER AS a FROM source"}, "x"},
	} {
		if _, err := tryRead(t, test.cfg); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}

func TestFileCanBeLeft(t *testing.T) {
	t.Parallel()
	cfg := importer.Config{Path: writeParquet(t, "SELECT range AS n FROM range(100000)"), Format: tabular.Parquet}
	f, err := importer.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if n, err := f.Rows(t.Context()); n != 100_000 || err != nil {
		t.Errorf("%d rows, %v", n, err)
	}
	enough := errors.New("enough")
	if err := f.Each(t.Context(), func(importer.Document) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	n := 0
	err = f.Each(ctx, func(importer.Document) error {
		if n++; n == 10 {
			cancel()
		}
		return nil
	})
	if !errors.Is(err, context.Canceled) || n == 100_000 {
		t.Errorf("after %d rows: %v", n, err)
	}
}
