package api_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// scalars are values of every type and their JSON.
var scalars = []struct{ sql, json string }{
	{"true", "true"},
	{"(-128)::TINYINT", "-128"},
	{"255::UTINYINT", "255"},
	{"(-32768)::SMALLINT", "-32768"},
	{"65535::USMALLINT", "65535"},
	{"(-2147483648)::INTEGER", "-2147483648"},
	{"4294967295::UINTEGER", "4294967295"},
	{"9007199254740993", "9007199254740993"},
	{"18446744073709551615::UBIGINT", "18446744073709551615"},
	{"(-170141183460469231731687303715884105728)::HUGEINT", "-170141183460469231731687303715884105728"},
	{"340282366920938463463374607431768211455::UHUGEINT", "340282366920938463463374607431768211455"},
	{"(sum(3) OVER ())", "3"},
	{"'12345678901234567890123456789012345678901234567890'::BIGNUM", "12345678901234567890123456789012345678901234567890"},
	{"0.10::DECIMAL(4,2)", "0.10"},
	{"(-0.05)::DECIMAL(9,2)", "-0.05"},
	{"(-123.4)::DECIMAL(18,1)", "-123.4"},
	{"12345678901234567890.123456789012345678::DECIMAL(38,18)", "12345678901234567890.123456789012345678"},
	{"7::DECIMAL(38,0)", "7"},
	{"2::DOUBLE", "2"},
	{"0.1::FLOAT", "0.1"},
	{"1e300::DOUBLE", "1e+300"},
	{"'nan'::DOUBLE", "null"},
	{"'-inf'::FLOAT", "null"},
	{"'-0.0'::DOUBLE", "-0"},
	{"'a\"b,é🙂' || chr(10)", `"a\"b,é🙂\n"`},
	{"''", `""`},
	{"'thirteen bytes and more'", `"thirteen bytes and more"`},
	{"'\\x00\\xFF'::BLOB", `"AP8="`},
	{"''::BLOB", `""`},
	{"DATE '2001-01-31'", `"2001-01-31"`},
	{"DATE '0044-03-15 (BC)'", "null"},
	{"'infinity'::DATE", "null"},
	{"DATE '12001-01-31'", "null"},
	{"TIMESTAMPTZ '2001-01-31 12:00:00.123456-03:30'", `"2001-01-31T15:30:00.123456Z"`},
	{"'-infinity'::TIMESTAMPTZ", "null"},
	{"TIMESTAMP '1969-12-31 23:59:59.999999'", `"1969-12-31T23:59:59.999999"`},
	{"TIMESTAMP_S '2001-01-31 12:00:00'", `"2001-01-31T12:00:00"`},
	{"TIMESTAMP_MS '1969-12-31 23:59:59.5'", `"1969-12-31T23:59:59.5"`},
	{"TIMESTAMP_NS '2001-01-31 12:00:00.123456789'", `"2001-01-31T12:00:00.123456789"`},
	{"'infinity'::TIMESTAMP_S", "null"},
	{"'infinity'::TIMESTAMP_MS", "null"},
	{"'-infinity'::TIMESTAMP_NS", "null"},
	{"TIME '12:00:00.5'", `"12:00:00.5"`},
	{"TIME '24:00:00'", `"24:00:00"`},
	{"'12:00:00.000000009'::TIME_NS", `"12:00:00.000000009"`},
	{"'12:00:00-03:30'::TIMETZ", `"12:00:00-03:30"`},
	{"'12:00:00+05:53:28'::TIMETZ", `"12:00:00+05:53:28"`},
	{"'00:00:00.25+15:59:59'::TIMETZ", `"00:00:00.25+15:59:59"`},
	{"INTERVAL '1 year 2 months 3 days 4 hours 5.5 seconds'", `"1 year 2 months 3 days 04:00:05.5"`},
	{"INTERVAL '-13 months'", `"-1 year -1 month"`},
	{"INTERVAL '1 day -1 seconds'", `"1 day -00:00:01"`},
	{"INTERVAL '0 seconds'", `"00:00:00"`},
	{"INTERVAL '100 hours'", `"100:00:00"`},
	{"'c0ffee00-0000-4000-8000-00000000000a'::UUID", `"c0ffee00-0000-4000-8000-00000000000a"`},
	{"'it''s'::ENUM('a', 'it''s')", `"it's"`},
	{"'101'::BIT", `"101"`},
	{"'{\"z\": 1, \"a\":[null, NaN]}'::JSON", `{"z": 1, "a":[null, null]}`},
	{"NULL::INTEGER", "null"},
	{"NULL::VARCHAR", "null"},
}

// A value is encoded alike at any depth, and in CSV as in JSON without quotes; texts in CSV equal
// DuckDB's cast to text.
func TestNestedValues(t *testing.T) {
	t.Parallel()
	files := map[string]string{}
	for n, s := range scalars {
		files[fmt.Sprintf("s%d", n)] = "-- One.\nSELECT v, [v, v] AS l, {'a b': v, '\"': [v]} AS s, MAP {'k': v} AS m, [[v], [], NULL] AS ll, [{'x': [v]}] AS ls, array_value(v, v) AS arr, union_value(u := v) AS un FROM (SELECT " + s.sql + " AS v)"
	}
	i := setup(t, "SELECT 1", files)
	for n, s := range scalars {
		path := fmt.Sprintf("/v1/test/s%d", n)
		status, _, body := i.send(t, http.MethodGet, path+"?format=ndjson", nil)
		v := s.json
		want := fmt.Sprintf(`{"v":%[1]s,"l":[%[1]s,%[1]s],"s":{"a b":%[1]s,"\"":[%[1]s]},"m":{"k":%[1]s},"ll":[[%[1]s],[],null],"ls":[{"x":[%[1]s]}],"arr":[%[1]s,%[1]s],"un":{"u":%[1]s}}`+"\n", v)
		if status != http.StatusOK || string(body) != want || !json.Valid(body) {
			t.Errorf("%s: %d\n got %s\nwant %s%s", s.sql, status, body, want, i.log)
		}
		_, _, body = i.send(t, http.MethodGet, path+"?format=csv", nil)
		rows, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
		if err != nil || len(rows) != 2 || rows[1][1] != "["+v+","+v+"]" || rows[1][3] != `{"k":`+v+`}` {
			t.Errorf("%s: %v: %s", s.sql, err, body)
		}
		var answers [2][]byte
		for n, format := range []string{"arrow", "parquet"} {
			status, _, body := i.send(t, http.MethodGet, path+"?format="+format, nil)
			if status == http.StatusOK {
				answers[n] = body
			} else if status != http.StatusNotAcceptable || len(v) < 39 || !bytes.Contains(body, []byte("The column v has a number of 39 digits")) {
				t.Errorf("%s: %s: %d %s\n%s", s.sql, format, status, body, i.log)
			}
		}
		if answers[0] != nil {
			inArrow, inParquet := arrowRecords(t, answers[0])[0], firstRecord(parquetRecords(t, answers[1]))
			for c := range inArrow.Columns() {
				marked := strings.Contains(inArrow.Column(c).DataType().String(), "arrow.json") // which arrow-go shows as JSON
				if a, p := inArrow.Column(c).ValueStr(0), inParquet.Column(c).ValueStr(0); a != p && !marked {
					t.Errorf("%s: %s is %s in Arrow, %s in Parquet", s.sql, inArrow.ColumnName(c), a, p)
				}
			}
		}
	}
}

func firstRecord(records []arrow.RecordBatch, _ *pqarrow.FileReader) arrow.RecordBatch {
	return records[0]
}

const nestedRows = `-- Nested.
SELECT * FROM (VALUES
    ([1, NULL, 3], {'a': 'x', 'b': [1.50::DECIMAL(4,2)]}, MAP {'k': [1], 'n': NULL}, [{'t': TIMESTAMPTZ '2001-01-31 12:00:00Z'}, NULL], array_value(1, 2), '{"a": 1}'::JSON, ['[1]'::JSON], 170141183460469231731687303715884105727 // 10),
    (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    ([], {'a': NULL, 'b': NULL}, MAP {}, [], array_value(NULL, 4), 'null'::JSON, [], -5::HUGEINT)
) t(l, s, m, ls, arr, doc, docs, h)`

// Lists, structs, maps and integers of 128 bits keep their types in Arrow and Parquet, as arrow-go
// and DuckDB read them.
func TestNestedInArrowAndParquet(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"nested": nestedRows})
	_, _, text := i.send(t, http.MethodGet, "/v1/test/nested?format=arrow", nil)
	r, err := ipc.NewReader(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	var got strings.Builder
	for r.Next() {
		table := array.RecordToStructArray(r.RecordBatch())
		for row := range table.Len() {
			fmt.Fprintln(&got, table.ValueStr(row))
		}
		table.Release()
	}
	const want = `{"arr":[1,2],"doc":{"a":1},"docs":[[1]],"h":"17014118346046923173168730371588410572","l":[1,null,3],"ls":[{"t":"2001-01-31T12:00:00Z"},null],"m":[{"key":"k","value":[1]},{"key":"n","value":null}],"s":{"a":"x","b":["1.5"]}}
{"arr":null,"doc":null,"docs":null,"h":null,"l":null,"ls":null,"m":null,"s":null}
{"arr":[null,4],"doc":null,"docs":[],"h":"-5","l":[],"ls":[],"m":[],"s":{"a":null,"b":null}}
`
	if r.Err() != nil || got.String() != want {
		t.Errorf("%v\n got %s\nwant %s\n%s", r.Err(), &got, want, r.Schema())
	}
	path := t.TempDir() + "/a.parquet"
	_, _, text = i.send(t, http.MethodGet, "/v1/test/nested?format=parquet", nil)
	writeFile(t, path, text)
	for query, want := range map[string]string{
		"SELECT string_agg(column_type, '; ') FROM (DESCRIBE FROM '" + path + "')":                                                                              `INTEGER[]; STRUCT(a VARCHAR, b DECIMAL(4,2)[]); MAP(VARCHAR, INTEGER[]); STRUCT(t TIMESTAMP WITH TIME ZONE)[]; INTEGER[]; VARCHAR; VARCHAR[]; DECIMAL(38,0)`,
		"SELECT string_agg(to_json(columns(*))::VARCHAR, ' ') FROM (SELECT l FROM '" + path + "')":                                                              `[1,null,3] []`,
		"SELECT string_agg(to_json(s)::VARCHAR, ' ') FROM '" + path + "'":                                                                                       `{"a":"x","b":[1.5]} {"a":null,"b":null}`,
		"SELECT string_agg(to_json(m)::VARCHAR, ' ') FROM '" + path + "'":                                                                                       `{"k":[1],"n":null} {}`,
		"SELECT string_agg(to_json(ls)::VARCHAR, ' ') FROM '" + path + "'":                                                                                      `[{"t":"2001-01-31 09:00:00-03"},null] []`,
		"SELECT string_agg(to_json(arr)::VARCHAR, ' ') FROM '" + path + "'":                                                                                     `[1,2] [null,4]`,
		"SELECT string_agg(doc::VARCHAR || coalesce(docs[1]::VARCHAR, '') || h::VARCHAR, ' ') FROM '" + path + "'":                                              `{"a": 1}[1]17014118346046923173168730371588410572 null-5`,
		"SELECT count(*)::VARCHAR FROM '" + path + "' WHERE l IS NULL AND s IS NULL AND m IS NULL AND ls IS NULL AND arr IS NULL AND doc IS NULL AND h IS NULL": `1`,
	} {
		if got := scalar[string](t, i.db, query); got != want {
			t.Errorf("%s:\n got %s\nwant %s", query, got, want)
		}
	}
}

// An Arrow stream is compressed as a whole, not its buffers, which not every reader supports.
func TestArrowIsPlainInside(t *testing.T) {
	t.Parallel()
	i := setup(t, "SELECT 1", map[string]string{"rows": "-- Rows.\nSELECT range AS n, repeat('a', 100) AS t FROM range(2000)"})
	_, header, text := i.send(t, http.MethodGet, "/v1/test/rows?format=arrow", nil)
	if header.Get("Content-Encoding") != "" || bytes.Count(text, []byte("aaaaaaaaaa")) < 2000 {
		t.Errorf("%s: %d bytes", header.Get("Content-Encoding"), len(text))
	}
	_, header, packed := i.send(t, http.MethodGet, "/v1/test/rows?format=arrow", http.Header{"Accept-Encoding": {"zstd"}})
	if header.Get("Content-Encoding") != "zstd" || !bytes.Equal(decoded(t, "zstd", packed), text) {
		t.Errorf("%s: %d bytes", header.Get("Content-Encoding"), len(packed))
	}
}
