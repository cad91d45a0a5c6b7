package importer_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/xxh3"

	"github.com/estela-dev/estela/services/internal/importer"
	"github.com/estela-dev/estela/services/internal/tabular"
)

func gzipped(t *testing.T, content string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(content)); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	return b.String()
}

func zstded(t *testing.T, content string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return string(w.EncodeAll([]byte(content), nil))
}

// fileOf writes a file of that name.
func fileOf(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const everything = "SELECT * FROM source"

// TestBlobIsText: what writers without strings keep as BLOB is text where it is UTF-8.
func TestBlobIsText(t *testing.T) {
	t.Parallel()
	path := writeParquet(t, `SELECT * FROM (VALUES (encode('Zürich'), {'b': encode('é"')}), ('\xC3\x28'::BLOB, NULL), ('x'::BLOB, {'b': '\xFF'::BLOB})) t(id, s)`)
	want := []string{
		`1 {"id":"Zürich","s":{"b":"é\""}}`,
		`2 !column id: has bytes that are not UTF-8: convert them in a mapping by hex() or base64()`,
		`3 !column s.b: has bytes that are not UTF-8: convert them in a mapping by hex() or base64()`,
	}
	expectRead(t, importer.Config{Path: path}, want...)
	expectRead(t, importer.Config{Path: path, Mapping: everything}, want...)
	expectRead(t, importer.Config{Path: path, Mapping: "SELECT _row, id AS id FROM source WHERE _row = 1"}, `1 {"id":"Zürich"}`)
	path = writeParquet(t, `SELECT encode('Zürich') AS id, NULL::BLOB AS n, '\xFF'::BLOB AS x`)
	expectRead(t, importer.Config{Path: path, Mapping: "SELECT id::VARCHAR || '!' AS id, typeof(n) AS n, hex(x) AS x FROM source"}, `1 {"id":"Zürich!","n":"VARCHAR","x":"FF"}`)
}

// TestMappingSeesJSONAsItIs: DuckDB's reader guesses what strings may mean and rounds
// numbers.
func TestMappingSeesJSONAsItIs(t *testing.T) {
	t.Parallel()
	text := `{"id":"25-11-2025","at":"2025-11-25T10:00:00+02:00","n":9007199254740993,"d":12345678901234567890.1234567890,"zip":"007","mixed":"5","o":{"k":[1.10,null]},"u":"123e4567-e89b-12d3-a456-426614174000"}
{"id":"true","at":"2025-11-25","n":-9223372036854775808,"d":0.1,"zip":"010","mixed":5,"o":{"k":[]},"u":"x"}
{"id":"1e5","at":"12:30","n":1,"zip":"","mixed":null,"big":123456789012345678901234567890,"f":1e2,"b":true}
{"big":-5,"f":-0,"b":false,"esc":"a\"\\\/\u00e9\u0000b"}
{"big":-170141183460469231731687303715884105728,"f":12,"esc":"a\"\\\/\u00e9\n\ud83d\ude00"}
`
	got := `1 {"id":"25-11-2025","at":"2025-11-25T10:00:00+02:00","n":9007199254740993,"d":12345678901234567890.1234567890,"zip":"007","mixed":"5","o":{"k":[1.10,null]},"u":"123e4567-e89b-12d3-a456-426614174000"}
2 {"id":"true","at":"2025-11-25","n":-9223372036854775808,"d":0.1,"zip":"010","mixed":5,"o":{"k":[]},"u":"x"}
3 {"id":"1e5","at":"12:30","n":1,"zip":"","big":123456789012345678901234567890,"f":100,"b":true}`
	expectRead(t, importer.Config{Reader: strings.NewReader(text), Mapping: everything, Format: tabular.NDJSON}, append(
		[]string{`4 !/esc: holds the character U+0000 (\u0000), which a text column can't keep`},
		append(strings.Split(got, "\n"), `5 {"big":-170141183460469231731687303715884105728,"f":12,"esc":"a\"\\/é\n😀"}`)...)...)
	expectRead(t, importer.Config{
		Reader:  strings.NewReader(text),
		Mapping: "SELECT _row, typeof(id) AS id, typeof(n) AS n, typeof(d) AS d, typeof(mixed) AS mixed, typeof(o) AS o, typeof(big) AS big, typeof(f) AS f, typeof(b) AS b FROM source LIMIT 1",
	}, `4 !/esc: holds the character U+0000 (\u0000), which a text column can't keep`,
		`1 {"id":"VARCHAR","n":"BIGINT","d":"JSON","mixed":"JSON","o":"JSON","big":"JSON","f":"DOUBLE","b":"BOOLEAN"}`)
}

// TestColumnsChangeTheirType: what a column is made of the first rows may not hold the
// later ones.
func TestColumnsChangeTheirType(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	rows := func(row string) {
		for range 20_000 { // more than a batch
			text.WriteString(row + "\n")
		}
	}
	rows(`{"a":null,"b":1,"c":"x","d":true,"e":1,"f":1}`)
	rows(`{"a":"x","b":0.5,"c":1,"d":"true","e":100000000000000000000,"f":9007199254740993,"g":[1]}`)
	rows(`{"a":"y","b":1e400,"c":"é\n","d":null,"e":2,"f":0.5}`)
	got := read(t, importer.Config{Reader: strings.NewReader(text.String()), Mapping: everything})
	if len(got) != 60_000 {
		t.Fatal(len(got))
	}
	for i, want := range map[int]string{
		0:     `40001 !/b: must be within the range of a 64-bit float, found 1e400`,
		20000: `1 {"b":1,"c":"x","d":true,"e":1,"f":1}`,
		40000: `20001 {"a":"x","b":0.5,"c":1,"d":"true","e":100000000000000000000,"f":9007199254740993,"g":[1]}`,
	} {
		if got[i] != want {
			t.Errorf("%d\n got %s\nwant %s", i, got[i], want)
		}
	}
}

// TestLinesOfAMapping: a line that can't be a row of source costs that line.
func TestLinesOfAMapping(t *testing.T) {
	t.Parallel()
	text := "{\"id\":1,\"id\":2}\n{\"id\":2}\n{\"id\":3,\"_row\":9}\n{\"id\":4\n{\"ID\":5}\n{\"\":6}\n{\"id\":7}"
	expectRead(t, importer.Config{Path: fileOf(t, "x.ndjson", text), Mapping: everything},
		`1 !/id: appears more than once in its object`,
		`3 !property "_row" is what a mapping calls the row's number: rename it, or publish the file with --mapping none`,
		`4 !lacks a comma or } after a property (byte 7)`,
		`5 !property "ID" differs only by case from "id", and SQL does not tell them apart: rename it`,
		`6 !has a property without a name, which can't be a column of source: publish the file with --mapping none`,
		`2 {"id":2}`, `7 {"id":7}`)
	expectRead(t, importer.Config{Path: fileOf(t, "x.ndjson", `{"id":3,"_row":9}`)}, `1 {"id":3,"_row":9}`)
	// A first line that goes on for ever costs itself only, and --format is the last word.
	for _, cfg := range []importer.Config{{Path: fileOf(t, "x.ndjson", "{\"id\":1,\"a\":[\n{\"id\":2}\n")}, {Reader: strings.NewReader("{\"id\":1,\"a\":[\n{\"id\":2}"), Format: tabular.NDJSON}} {
		cfg.Mapping = everything
		expectRead(t, cfg, `1 !/a/0: ends where a value should be (byte 13)`, `2 {"id":2}`)
	}
}

// TestEveryFile: the same rows, however they are packed.
func TestEveryFile(t *testing.T) {
	t.Parallel()
	const csv = "id,n\nä,1\nb,2\n"
	const ndjson = "{\"id\":\"ä\",\"n\":1}\n{\"id\":\"b\",\"n\":2}\n"
	utf16 := "\xff\xfei\x00d\x00,\x00n\x00\n\x00\xe4\x00,\x001\x00\n\x00b\x00,\x002\x00\n\x00"
	for name, content := range map[string]string{
		"a.csv": csv, "b.csv": gzipped(t, csv), "c.csv.gz": gzipped(t, csv), "d.csv.zst": zstded(t, csv), "e.tsv": strings.ReplaceAll(csv, ",", "\t"),
		"f.csv": strings.ReplaceAll(csv, "\n", "\r"), "g.csv": strings.ReplaceAll(csv, "\n", "\r\n"), "h.csv": "\xef\xbb\xbf" + csv, "i.csv": utf16,
		"j.csv": strings.ReplaceAll(csv, ",", ";"), "k.txt": csv, "l.csv.gz": csv, "m.csv": ndjson, "o": ndjson, "p.csv.gz": gzipped(t, utf16), "q": zstded(t, ndjson),
		"r.ndjson": ndjson, "s.ndjson.gz": gzipped(t, ndjson), "t.json": ndjson, "u.json": "[" + strings.Replace(ndjson, "\n", "\n,", 1) + "]",
		"v.json": "{\n \"id\": \"ä\",\n \"n\": 1}\n\n{\"id\":\n\"b\",\"n\":2}", "w.ndjson": "[\n" + strings.Replace(ndjson, "\n", ",\n", 1) + "]\n", "x.json.zst": zstded(t, "["+strings.Replace(ndjson, "\n", ",", 1)+"]"),
		"y.ndjson": strings.ReplaceAll(ndjson, "\n", "\r"), "z.ndjson": strings.ReplaceAll(ndjson, "\n", ""),
	} {
		shape := shapeOf(t, `,"n":{"type":"number"}`)
		for _, cfg := range []importer.Config{
			{Path: fileOf(t, name, content), Shape: shape},
			{Path: fileOf(t, name, content), Shape: shape, Mapping: everything},
			{Reader: strings.NewReader(content), Shape: shape, Mapping: everything},
		} {
			if cfg.Reader != nil && strings.HasPrefix(name, "e") {
				continue // nothing says that it is TSV, whose fields no comma splits
			}
			var got []string
			for _, row := range read(t, cfg) {
				got = append(got, strings.ReplaceAll(row[strings.IndexByte(row, ' ')+1:], " ", ""))
			}
			if strings.Join(got, " ") != `{"id":"ä","n":1} {"id":"b","n":2}` {
				t.Errorf("%s, mapping %q: %s", name, cfg.Mapping, got)
			}
		}
	}
	latin1 := "id,n\n\xe4,1\n"
	expectRead(t, importer.Config{Reader: strings.NewReader(latin1), Encoding: "latin1"}, `2 {"id":"ä","n":"1"}`)
	expectRead(t, importer.Config{Reader: strings.NewReader(latin1)},
		`2 !column id: holds bytes that are not UTF-8: say which encoding the file is in, such as --encoding windows-1252`)
}

// TestMappingsRepeatTheirOrder: an interrupted publish goes on behind as many events as it sent.
func TestMappingsRepeatTheirOrder(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("id,note\n")
	for i := range 150_000 {
		fmt.Fprintf(&text, "k%d,n%d\n", i, i*7919%1000)
	}
	places := strings.NewReplacer("id,note", "city,size", "k", "n").Replace(text.String()[:9+8*1000])
	for _, mapping := range []string{
		"SELECT _row, id, size FROM source LEFT JOIN places ON note = city",
		"SELECT id, count(*) AS n FROM source GROUP BY id",
		"SELECT _row, id, row_number() OVER (PARTITION BY note) AS n FROM source",
		"SELECT DISTINCT note AS id FROM source UNION SELECT id FROM source",
	} {
		var first uint64
		for run := range 3 {
			h := xxh3.New()
			cfg := importer.Config{Reader: strings.NewReader(text.String()), Mapping: mapping, References: map[string][]byte{"places": []byte(places[:strings.LastIndexByte(places, '\n')])}}
			f, err := importer.Open(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			err = f.Each(t.Context(), func(d importer.Document) error { _, err := h.Write(d.JSON); return err })
			if err := errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
			if run == 0 {
				first = h.Sum64()
			} else if h.Sum64() != first {
				t.Errorf("%s: another order in run %d", mapping, run+1)
			}
		}
	}
}

// TestPathIsNoData: DuckDB takes folders named NAME=VALUE for columns.
func TestPathIsNoData(t *testing.T) {
	t.Parallel()
	path := writeParquet(t, "SELECT 'a' AS id, 'in the file' AS s")
	for _, name := range []string{"s=folder/id=other/new=1/f.parquet", "~b.parquet", "a*b?.parquet"} {
		to := filepath.Join(t.TempDir(), name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(to), 0o700), os.WriteFile(to, []byte(readFile(t, path)), 0o600)); err != nil {
			t.Fatal(err)
		}
		for _, mapping := range []string{"", everything} {
			expectRead(t, importer.Config{Path: to, Mapping: mapping}, `1 {"id":"a","s":"in the file"}`)
		}
	}
}

// TestTextAsNumber: what may be two numbers is none, and "" is the same with a mapping and without.
func TestTextAsNumber(t *testing.T) {
	t.Parallel()
	shape := shapeOf(t, `,"n":{"type":["integer","null"]},"x":{"type":["number","null"]},"day":{"type":["string","null"],"format":"date"}`)
	const text = "id;n;x;day\na;1.000;1;\nb;1.0;1.000;\"\"\nc;12;1.234,56;2001-02-03\n"
	want := []string{
		`2 !column n: 1.000 may be thousands or a fraction: write it without the point, or use a mapping, such as SELECT * REPLACE (replace("n", '.', '') AS "n") FROM source`,
		`3 {"id":"b","n":1.0,"x":1.000}`,
		`4 !column x: has a decimal comma where numbers have a point: use a mapping, such as SELECT * REPLACE (replace(replace("x", '.', ''), ',', '.') AS "x") FROM source`,
	}
	for _, mapping := range []string{"", everything} {
		expectRead(t, importer.Config{Reader: strings.NewReader(text), Shape: shape, Mapping: mapping}, want...)
	}
	path := writeParquet(t, "SELECT 'a' AS id, 123456792::FLOAT AS n, 0.1::FLOAT AS x UNION ALL SELECT 'b', -16777216::FLOAT, 1.5::FLOAT")
	expectRead(t, importer.Config{Path: path, Shape: shape}, `1 {"id":"a","n":123456792,"x":0.1}`, `2 {"id":"b","n":-16777216,"x":1.5}`)
}

func TestParquetFromAnywhere(t *testing.T) {
	t.Parallel()
	path := writeParquet(t, "SELECT 'a' AS id, 1 AS n")
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, cfg := range []importer.Config{
		{Path: path},
		{Reader: bytes.NewReader(content)},
		{Path: fileOf(t, "x[1]*.csv", string(content))},
		{Path: fileOf(t, "x.parquet.gz", gzipped(t, string(content)))},
		{Reader: strings.NewReader(zstded(t, string(content)))},
	} {
		expectRead(t, cfg, `1 {"id":"a","n":1}`)
	}
}

// TestNestedValues: a value is written as it is at the top, at any depth, and NULL is
// what the contract lets it be.
func TestNestedValues(t *testing.T) {
	t.Parallel()
	path := writeParquet(t, `SELECT 'a' AS id, {'at': TIMESTAMPTZ '2001-01-13 14:56:00.25-03', 'd': 12345678901234567890.10::DECIMAL(38,2), 'no': NULL::INTEGER, 'must': NULL::INTEGER,
		'l': [DATE '2001-02-03', NULL], 'h': 18446744073709551615::UBIGINT, 'ts': TIMESTAMP '2001-01-13 14:56:00', 't': TIME '10:00:00.5'} AS s,
		NULL::INTEGER AS must, MAP {1: 'x', 2: NULL} AS m, 0.1::FLOAT AS f, INTERVAL '1 year 2 days 3.5 seconds' AS i`)
	expectRead(t, importer.Config{Path: path, Shape: shapeOf(t, `,"s":{"type":"object","required":["must"],"properties":{"no":{"type":"integer"},"must":{"type":["integer","null"]}}},"m":{"type":"object"},"f":{"type":"number"},"i":{"type":"string"}`)},
		`1 {"id":"a","s":{"at":"2001-01-13T17:56:00.25Z","d":12345678901234567890.10,"must":null,"l":["2001-02-03",null],`+
			`"h":18446744073709551615,"ts":"2001-01-13T14:56:00","t":"10:00:00.5"},"m":{"1":"x","2":null},"f":0.1,"i":"P12M2DT3.5S"}`)
	for query, want := range map[string]string{
		"SELECT TIMESTAMP '2001-01-13 14:56:00' AS at":                "column at is a time without a zone, for a date-time",
		"SELECT [{'at': TIMESTAMP_NS '2001-01-13 14:56:00'}] AS deep": "column deep[].at is a time without a zone",
		"SELECT '101'::BIT AS id":                                     "column id has a type that can't become JSON",
	} {
		shape := shapeOf(t, `,"deep":{"type":"array","items":{"type":"object","properties":{"at":{"type":"string","format":"date-time"}}}}`)
		if _, err := tryRead(t, importer.Config{Reader: strings.NewReader("x\n1\n"), Mapping: query, Shape: shape}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", query, err)
		}
	}
	path = writeParquet(t, `SELECT * FROM (VALUES ('nan'::DOUBLE, 'infinity'::DATE, ['12000-01-01 00:00:00+00'::TIMESTAMPTZ]), ('-inf', '2001-01-01', NULL), (1, 'infinity', NULL), (1, '0044-03-15 (BC)', NULL), (1, NULL, ['12000-01-01 00:00:00+00'::TIMESTAMPTZ]), (-0.0, '0000-01-01', [])) t(x, day, "at")`)
	expectRead(t, importer.Config{Path: path},
		`1 !column x: NaN is no number that JSON has`, `2 !column x: -Inf is no number that JSON has`, `3 !column day: is a time outside of the years 0000 to 9999`,
		`4 !column day: is a time outside of the years 0000 to 9999`, `5 !column at[]: is a time outside of the years 0000 to 9999`, `6 {"x":0,"day":"0000-01-01","at":[]}`)
}

func TestFilesThatCannotBeRead(t *testing.T) {
	t.Parallel()
	shape := shapeOf(t, "")
	for name, test := range map[string]struct {
		cfg  importer.Config
		want string
	}{
		"header only":  {importer.Config{Path: fileOf(t, "x.csv", "id,at\n")}, "x.csv: there is no row in it"},
		"blank lines":  {importer.Config{Reader: strings.NewReader("\n \n")}, "standard input: there is no row in it"},
		"no rows":      {importer.Config{Path: writeParquet(t, "SELECT 1 AS id WHERE false")}, "there is no row in it"},
		"empty array":  {importer.Config{Path: fileOf(t, "x.json", "[ ]")}, "there is no row in it"},
		"mapped empty": {importer.Config{Path: fileOf(t, "x.csv", "id,at\n"), Mapping: everything}, "there is no row in it"},
		"mapped away":  {importer.Config{Path: fileOf(t, "x.csv", "id,at\n1,2\n"), Mapping: "FROM source WHERE false", MappingName: "m.sql"}, "m.sql makes no event of its 1 rows"},
		"twice":        {importer.Config{Reader: strings.NewReader("id,at,id\n1,2,3\n")}, `line 1: the header names "id" twice, columns 1 and 3`},
		"no name":      {importer.Config{Reader: strings.NewReader("\n\nid,,at\n1,2,3\n"), Format: tabular.CSV}, "line 3: column 2 of the header has no name"},
		"by case":      {importer.Config{Reader: strings.NewReader("id,ID\n1,2\n"), Mapping: everything}, `columns "id" and "ID", which SQL does not tell apart`},
		"Parquet case": {importer.Config{Path: writeParquet(t, `SELECT 1 AS id, 2 AS _ROW`)}, `a column "_ROW", which is what a mapping calls the row's number`},
		"cut gzip":     {importer.Config{Path: fileOf(t, "x.csv", gzipped(t, "id\n1\n"+strings.Repeat("2\n", 1000))[:40])}, "compressed with gzip and cut off or damaged"},
		"spreadsheet":  {importer.Config{Path: fileOf(t, "x.csv", "PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00\x21\x00")}, "a ZIP archive or a spreadsheet"},
		"no UTF-16":    {importer.Config{Path: fileOf(t, "x.csv", "i\x00d\x00\n\x001\x00")}, "--encoding utf-16le"},
		"no encoding":  {importer.Config{Path: fileOf(t, "x.csv", "id\n1"), Encoding: "klingon"}, `unknown encoding "klingon"`},
		"no Parquet":   {importer.Config{Path: fileOf(t, "x.parquet", "id\n1\n")}, "it is no Parquet file"},
		"Parquet":      {importer.Config{Path: writeParquet(t, "SELECT 1 AS id"), Format: tabular.CSV}, "use --format parquet, not csv"},
		"cut array":    {importer.Config{Reader: strings.NewReader("[{\"id\":1},\n{\"id\":2}\n")}, "line 3: the array that begins on line 1 is not closed"},
		"broken array": {importer.Config{Reader: strings.NewReader("[{\"id\":1}\n{\"id\":2}]")}, `line 2: a comma or ] should follow a value of the array, found '{'`},
		"no table":     {importer.Config{Path: fileOf(t, "x.csv", "id,at\n1,2\n"), Mapping: "SELECT *, now() AS loaded_at\nFROM zipcodes", MappingName: "m.sql"}, `m.sql, line 2: Table with name zipcodes does not exist!`},
		"no column":    {importer.Config{Path: fileOf(t, "x.csv", "id,at\n1,2\n"), Mapping: "SELECT _row AS id,\n \"Flight Date\"::TIMESTAMP AS at FROM source", MappingName: "m.sql"}, `m.sql, line 2: Referenced column "Flight Date" not found in FROM clause!`},
		"its columns":  {importer.Config{Path: fileOf(t, "x.csv", "id,at\n1,2\n"), Mapping: "SELECT x FROM source", MappingName: "m.sql"}, `source has the columns "_row", "id", "at"`},
		"no cast":      {importer.Config{Path: fileOf(t, "x.csv", "id,at\n1,2\n\nx,3\n"), Mapping: "SELECT id::INTEGER AS id FROM source", MappingName: "m.sql"}, `(row 4); TRY_CAST in the place of CAST`},
		"no query":     {importer.Config{Path: fileOf(t, "x.csv", "id,at\n1,2\n"), Mapping: "DROP TABLE source", MappingName: "m.sql"}, `m.sql: must be one SELECT`},
		"comments":     {importer.Config{Path: fileOf(t, "x.csv", "id,at\n1,2\n"), Mapping: "-- nothing", MappingName: "m.sql"}, `m.sql: must be one SELECT`},
		"two":          {importer.Config{Path: fileOf(t, "x.csv", "id,at\n1,2\n"), Mapping: "SELECT 1; SELECT 2", MappingName: "m.sql"}, `m.sql: must be one SELECT`},
		"twice out":    {importer.Config{Path: fileOf(t, "x.csv", "id,at\n1,2\n"), Mapping: "SELECT id, id FROM source", MappingName: "m.sql"}, `m.sql: gives the column "id" twice`},
		"no time":      {importer.Config{Path: fileOf(t, "x.csv", "id,at\n1,2\n"), Mapping: "SELECT strptime(id, '%H:%M')::VARCHAR AS id FROM source", MappingName: "m.sql"}, `try_strptime`},
		"typo":         {importer.Config{Path: fileOf(t, "x.csv", "id,at\n1,2\n"), Mapping: "SELECT\nFORM source", MappingName: "m.sql"}, `m.sql, line`},
	} {
		test.cfg.Shape = shape
		_, err := tryRead(t, test.cfg)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
		if err != nil && (strings.Contains(err.Error(), "/estela-") || strings.Contains(err.Error(), "CREATE ")) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestMappingsOfTheReadme are the examples that the README of datasets has of each format, in both languages.
func TestMappingsOfTheReadme(t *testing.T) {
	t.Parallel()
	shape := shapeOf(t, `,"celsius":{"type":"number"},"measured_at":{"type":"string","format":"date-time"},"unit":{"type":"string"}`)
	for _, test := range []struct{ content, mapping, want string }{
		{"id;celsius\na;21,5\n", "SELECT * REPLACE (replace(replace(celsius, '.', ''), ',', '.') AS celsius) FROM source", `2 {"id":"a","celsius":21.5}`},
		{
			`{"id":"a","taken":"2026-01-01T00:00:00+01:00","data":{"unit":"C"}}`, "SELECT _row, id, taken AS measured_at, data->>'$.unit' AS unit FROM source",
			`1 {"id":"a","measured_at":"2026-01-01T00:00:00+01:00","unit":"C"}`,
		},
		{
			readFile(t, writeParquet(t, "SELECT 'a' AS id, TIMESTAMP '2026-01-01 00:00:00' AS local")), "SELECT _row, id, timezone('Europe/Madrid', local) AS measured_at FROM source",
			`1 {"id":"a","measured_at":"2025-12-31T23:00:00Z"}`,
		},
	} {
		expectRead(t, importer.Config{Reader: strings.NewReader(test.content), Mapping: test.mapping, Shape: shape}, test.want)
		for _, name := range []string{"README.md", "README.es.md"} {
			if !strings.Contains(readFile(t, "../../../data/"+name), "`"+test.mapping+"`") {
				t.Errorf("data/%s has no example %s", name, test.mapping)
			}
		}
	}
}

// TestColumnsOutsideTheContract are named once.
func TestColumnsOutsideTheContract(t *testing.T) {
	t.Parallel()
	for _, mapping := range []string{"", everything} {
		var said []string
		cfg := importer.Config{
			Reader: strings.NewReader("id,at, At\n1,2,3\n4,5,6\n"), Shape: shapeOf(t, ""), Mapping: mapping,
			Warn: func(text string) { said = append(said, text) },
		}
		expectRead(t, cfg, `2 {"id":"1","at":"2"}`, `3 {"id":"4","at":"5"}`)
		if strings.Join(said, "; ") != `column " At" is not in the contract, which has "at", and is left out` {
			t.Errorf("%q: %q", mapping, said)
		}
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
