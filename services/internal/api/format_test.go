package api_test

import (
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/klauspost/compress/zstd"
)

// body returns an answer's uncompressed body and its headers.
func (i instance) body(t *testing.T, path string, header ...string) (int, http.Header, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, i.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "identity")
	for n := 0; n < len(header); n += 2 {
		req.Header.Set(header[n], header[n+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, res.Header, decoded(t, res.Header.Get("Content-Encoding"), text)
}

func decoded(t *testing.T, encoding string, text []byte) []byte {
	t.Helper()
	var err error
	switch encoding {
	case "gzip":
		var r *gzip.Reader
		if r, err = gzip.NewReader(bytes.NewReader(text)); err == nil {
			text, err = io.ReadAll(r)
		}
	case "zstd":
		var r *zstd.Decoder
		if r, err = zstd.NewReader(nil); err == nil {
			defer r.Close()
			text, err = r.DecodeAll(text, nil)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// everyType has a row of typical values, one of edge cases and one of NULLs.
const everyType = `-- Every type.
SELECT * FROM (VALUES
    (true, 9223372036854775807, 18446744073709551615::UBIGINT, 12345678901234.5678::DECIMAL(18,4), 1.5::DOUBLE, 0.1::FLOAT, 'a,"b"', DATE '2001-01-31',
     TIMESTAMPTZ '2001-01-31 12:00:00.123456-03', TIMESTAMP '2001-01-31 12:00:00', '{"a":[1]}'::JSON, [1, 2], {'x': 'y'}, '\x00\xFF'::BLOB, 'c0ffee00-0000-4000-8000-000000000000'::UUID),
    (false, -9223372036854775807 - 1, 0, -0.0001, 'NaN'::DOUBLE, '-Infinity'::FLOAT, '', DATE '0001-01-01', 'infinity'::TIMESTAMPTZ, TIMESTAMP '1969-12-31 23:59:59.999999', 'null'::JSON, [], {'x': NULL}, ''::BLOB, NULL),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)
) t(yes, big, ubig, dec, dbl, flt, text, day, "at", "local", doc, list, "struct", bytes, id)`

func TestTypesInJSON(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"types": everyType})
	const want = `{"yes":true,"big":9223372036854775807,"ubig":18446744073709551615,"dec":12345678901234.5678,"dbl":1.5,"flt":0.1,"text":"a,\"b\"","day":"2001-01-31","at":"2001-01-31T15:00:00.123456Z","local":"2001-01-31T12:00:00","doc":{"a":[1]},"list":[1,2],"struct":{"x":"y"},"bytes":"AP8=","id":"c0ffee00-0000-4000-8000-000000000000"}
{"yes":false,"big":-9223372036854775808,"ubig":0,"dec":-0.0001,"dbl":null,"flt":null,"text":"","day":"0001-01-01","at":null,"local":"1969-12-31T23:59:59.999999","doc":null,"list":[],"struct":{"x":null},"bytes":"","id":null}
{"yes":null,"big":null,"ubig":null,"dec":null,"dbl":null,"flt":null,"text":null,"day":null,"at":null,"local":null,"doc":null,"list":null,"struct":null,"bytes":null,"id":null}
`
	_, header, lines := i.body(t, "/v1/test/types?format=ndjson")
	if string(lines) != want || header.Get("Content-Type") != "application/x-ndjson" {
		t.Errorf("%s\n%s\n%s", header.Get("Content-Type"), lines, i.log)
	}
	_, _, document := i.body(t, "/v1/test/types")
	if all := `{"data":[` + strings.ReplaceAll(strings.TrimSpace(want), "\n", ",") + `],"meta":`; !strings.HasPrefix(string(document), all) {
		t.Errorf("%s", document)
	}
}

// DuckDB accepts JSON that isn't.
func TestOddJSON(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"odd": `-- Odd.
SELECT ['nan'::DOUBLE, 'inf'::DOUBLE, 1.5] AS l, {'a': 'nan'::FLOAT, 'NaN, ]': NULL} AS s, '-Infinity'::JSON AS j,
       '[1, "a,]\\\",", -2.5e-3, true, ]'::JSON AS k, MAP {'x': '-inf'::DOUBLE} AS m`})
	const want = `{"l":[null,null,1.5],"s":{"a":null,"NaN, ]":null},"j":null,"k":[1, "a,]\\\",", -2.5e-3, true ],"m":{"x":null}}` + "\n"
	if _, _, text := i.body(t, "/v1/test/odd?format=ndjson"); string(text) != want {
		t.Errorf("%s, want\n%s\n%s", text, want, i.log)
	}
	for _, format := range []string{"csv", "arrow", "parquet"} {
		if _, _, text := i.body(t, "/v1/test/odd?format="+format); bytes.Contains(text, []byte("NaN,1.5")) || bytes.Contains(text, []byte("true, ]")) {
			t.Errorf("%s: %s", format, text)
		}
	}
}

func TestTypesInCSV(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"types": everyType})
	_, header, text := i.body(t, "/v1/test/types", "Accept", "text/csv")
	const want = "yes,big,ubig,dec,dbl,flt,text,day,at,local,doc,list,struct,bytes,id\r\n" +
		`true,9223372036854775807,18446744073709551615,12345678901234.5678,1.5,0.1,"a,""b""",2001-01-31,2001-01-31T15:00:00.123456Z,2001-01-31T12:00:00,"{""a"":[1]}","[1,2]","{""x"":""y""}",AP8=,c0ffee00-0000-4000-8000-000000000000` + "\r\n" +
		`false,-9223372036854775808,0,-0.0001,NaN,-Inf,"",0001-01-01,,1969-12-31T23:59:59.999999,null,[],"{""x"":null}",,` + "\r\n" +
		",,,,,,,,,,,,,,\r\n"
	if string(text) != want || header.Get("Content-Type") != "text/csv; charset=utf-8; header=present" {
		t.Errorf("%s\n%s\nwant\n%s", header.Get("Content-Type"), text, want)
	}
	if rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll(); err != nil || len(rows) != 4 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

// arrowRows returns the values of the first two rows, by column.
func arrowRows(t *testing.T, records []arrow.RecordBatch) string {
	t.Helper()
	var b strings.Builder
	for _, r := range records {
		for row := range int(r.NumRows()) {
			for c, field := range r.Schema().Fields() {
				fmt.Fprintf(&b, "%s %s=%s\n", field.Name, field.Type, r.Column(c).ValueStr(row))
			}
		}
	}
	return b.String()
}

const typesInArrow = `yes bool=true
big int64=9223372036854775807
ubig uint64=18446744073709551615
dec decimal(18, 4)=12345678901234.5678
dbl float64=1.5
flt float32=0.1
text utf8=a,"b"
day date32=2001-01-31
at timestamp[us, tz=UTC]=2001-01-31T15:00:00.123456Z
local timestamp[us]=2001-01-31T12:00:00Z
doc extension<arrow.json[storage_type=utf8]>={"a":[1]}
list list<item: int32, nullable>=[1,2]
struct struct<x: utf8>={"x":"y"}
bytes binary=AP8=
id utf8=c0ffee00-0000-4000-8000-000000000000
yes bool=false
big int64=-9223372036854775808
ubig uint64=0
dec decimal(18, 4)=-0.0001
dbl float64=NaN
flt float32=-Inf
text utf8=
day date32=0001-01-01
at timestamp[us, tz=UTC]=(null)
local timestamp[us]=1969-12-31T23:59:59.999999Z
`

// arrowRecords reads an Arrow IPC stream.
func arrowRecords(t *testing.T, text []byte) (records []arrow.RecordBatch) {
	t.Helper()
	r, err := ipc.NewReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	for r.Next() {
		r.RecordBatch().Retain()
		records = append(records, r.RecordBatch())
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return records
}

// parquetRecords reads Parquet as arrow-go does.
func parquetRecords(t *testing.T, text []byte) (records []arrow.RecordBatch, r *pqarrow.FileReader) {
	t.Helper()
	pf, err := file.NewParquetReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if r, err = pqarrow.NewFileReader(pf, pqarrow.ArrowReadProperties{}, memory.DefaultAllocator); err != nil {
		t.Fatal(err)
	}
	table, err := r.ReadTable(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	tr := array.NewTableReader(table, 0)
	for tr.Next() {
		tr.RecordBatch().Retain()
		records = append(records, tr.RecordBatch())
	}
	return records, r
}

func TestTypesInArrow(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"types": everyType})
	_, header, text := i.body(t, "/v1/test/types", "Accept", "application/vnd.apache.arrow.stream")
	records := arrowRecords(t, text)
	if got := arrowRows(t, records); !strings.HasPrefix(got, typesInArrow) || strings.Count(got, "(null)") != 16 {
		t.Errorf("%s\n%s", header, got)
	}
}

func TestTypesInParquet(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"types": everyType})
	_, header, text := i.body(t, "/v1/test/types?format=parquet")
	if header.Get("Content-Type") != "application/vnd.apache.parquet" {
		t.Errorf("%s", header)
	}
	records, r := parquetRecords(t, text)
	typesInParquet := strings.NewReplacer("extension<arrow.json[storage_type=utf8]>", "utf8", "item", "element").Replace(typesInArrow)
	if got := arrowRows(t, records); !strings.HasPrefix(got, typesInParquet) {
		t.Errorf("%s", got)
	}
	if kind := r.Manifest.OriginSchema.Field(10).Type; kind.String() != "extension<arrow.json[storage_type=utf8]>" {
		t.Errorf("the schema does not say that doc is JSON: %s", kind)
	}
	// DuckDB reads it too.
	path := t.TempDir() + "/a.parquet"
	writeFile(t, path, text)
	if n := scalar[float64](t, i.db, "SELECT sum(dec)::DOUBLE FROM '"+path+"'"); math.Abs(n-12345678901234.5677) > 0.01 {
		t.Errorf("sum is %v", n)
	}
}

// The requested format is served, or the request rejected.
func TestFormats(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{
		"plain": "-- Plain.\nSELECT 1 AS n",
		"drawn": "-- Drawn.\n-- chart: bar x=n y=n\nSELECT 1 AS n",
	})
	for _, c := range []struct{ path, accept, want string }{
		{"plain", "", "application/json; charset=utf-8"},
		{"plain", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/json; charset=utf-8"},
		{"plain", "text/csv;q=0.5, application/x-ndjson", "application/x-ndjson"},
		{"plain", "application/vnd.apache.parquet", "application/vnd.apache.parquet"},
		{"plain?format=csv", "application/json", "text/csv; charset=utf-8; header=present"},
		{"plain", "image/svg+xml", "406"},
		{"plain?format=svg", "", "400"},
		{"plain?format=xml", "", "400"},
		{"plain?format=", "", "400"},
		{"drawn", "image/avif,image/webp,image/svg+xml,image/*,*/*;q=0.8", "image/svg+xml"},
		{"drawn?format=svg", "", "image/svg+xml"},
		{"drawn", "image/png", "406"},
	} {
		status, header, text := i.body(t, "/v1/test/"+c.path, "Accept", c.accept)
		got := header.Get("Content-Type")
		if status != http.StatusOK {
			got = fmt.Sprint(status)
		}
		if got != c.want {
			t.Errorf("%s, %s: %s\n%s", c.path, c.accept, got, text)
		}
	}
}

func TestChartIsSVG(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"bar x=at y=d", "line x=at y=d", "area x=at y=d", "scatter x=at y=d", "histogram x=d", "heatmap x=at y=d", "heatmap x=at y=d value=d"} {
		i := setup(t, "SELECT 1", map[string]string{
			"drawn": "-- Drawn <&>.\n-- param: n integer default=5\n-- chart: " + kind + "\nSELECT '<' || range AS \"at\", CASE WHEN range % 3 = 1 THEN NULL ELSE range::DECIMAL(5,1) END AS d FROM range($n)",
		})
		for _, n := range []int{0, 1, 5, 2000} {
			status, _, text := i.body(t, fmt.Sprintf("/v1/test/drawn?format=svg&n=%d", n))
			d := xml.NewDecoder(bytes.NewReader(text))
			var err error
			for err == nil {
				_, err = d.Token()
			}
			if status != http.StatusOK || !errors.Is(err, io.EOF) || !bytes.Contains(text, []byte("prefers-color-scheme:dark")) || !bytes.Contains(text, []byte("Drawn &lt;&amp;&gt;.")) {
				t.Errorf("%s of %d: %d, %v\n%.2000s", kind, n, status, err, text)
			}
		}
	}
}

// A compressed answer has the same content; short ones are not compressed.
func TestCompression(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"rows": "-- Rows.\n-- param: n integer required\n-- limit: rows=1000000\nSELECT range AS i, md5(range::VARCHAR) AS t FROM range($n)"})
	for _, n := range []int{1, 1000, 50_000} { // the last one goes through a file
		_, _, plain := i.body(t, fmt.Sprintf("/v1/test/rows?n=%d", n))
		for accept, want := range map[string]string{"gzip": "gzip", "zstd, gzip": "zstd", "gzip;q=0, zstd;q=0": "", "br": ""} {
			_, header, text := i.body(t, fmt.Sprintf("/v1/test/rows?n=%d", n), "Accept-Encoding", accept)
			if n == 1 {
				want = ""
			}
			if header.Get("Content-Encoding") != want || !bytes.Equal(text, plain) || header.Get("Vary") != "Accept, Accept-Encoding" {
				t.Errorf("%d rows, %s: %s, %d bytes of %d", n, accept, header, len(text), len(plain))
			}
		}
		_, header, _ := i.body(t, fmt.Sprintf("/v1/test/rows?n=%d&format=parquet", n), "Accept-Encoding", "gzip")
		if header.Get("Content-Encoding") != "" {
			t.Errorf("Parquet was compressed again: %s", header)
		}
	}
}

// HEAD has the headers of GET and no body, whatever the size.
func TestHead(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"rows": "-- Rows.\n-- param: n integer required\n-- limit: rows=1000000\nSELECT range AS i, md5(range::VARCHAR) AS t FROM range($n)"})
	for _, n := range []int{1, 50_000} {
		path := fmt.Sprintf("/v1/test/rows?n=%d", n)
		_, want, text := i.body(t, path)
		head := i.do(t, http.MethodHead, path)
		if head.status != http.StatusOK || head.text != "" || head.header.Get("Content-Length") != fmt.Sprint(len(text)) || head.header.Get("ETag") != want.Get("ETag") {
			t.Errorf("%d %v\nGET has %v", head.status, head.header, want)
		}
	}
}

// Pages of every format have the next one in Link.
func TestLink(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"rows": "-- Rows.\n-- order: i\nSELECT range AS i, 'a&b' AS t FROM range(250)"})
	path, rows := "/v1/test/rows?format=ndjson&limit=100", 0
	for path != "" {
		_, header, text := i.body(t, path)
		for line := range strings.Lines(string(text)) {
			var row struct{ I int }
			if err := json.Unmarshal([]byte(line), &row); err != nil || row.I != rows {
				t.Fatalf("%d: %v %s", rows, err, line)
			}
			rows++
		}
		link := header.Get("Link")
		path, _, _ = strings.Cut(strings.TrimPrefix(link, "<"), ">")
		if link != "" && !strings.HasSuffix(link, `; rel="next"`) {
			t.Fatalf("Link: %s", link)
		}
	}
	if rows != 250 {
		t.Errorf("%d rows", rows)
	}
}
