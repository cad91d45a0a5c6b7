package importer_test

import (
	"bytes"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math"
	"math/big"
	"math/rand/v2"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"golang.org/x/text/encoding/unicode"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/importer"
)

var seed = flag.Uint64("seed", 0, "of generated rows; 0 is another one each time")

const everyProperty = `{"type":"object","x-estela":{"key":"id","time":"at"},"required":["id","at","must"],"additionalProperties":false,"properties":{
	"id":{"type":"string"},"at":{"type":"string","format":"date-time"},"text":{"type":["string","null"]},
	"n":{"type":["integer","null"]},"small":{"type":["integer","null"],"minimum":-128,"maximum":127},
	"x":{"type":["number","null"]},"dec":{"type":["number","null"]},"flag":{"type":["boolean","null"]},
	"day":{"type":["string","null"],"format":"date"},"ref":{"type":["string","null"],"format":"uuid"},
	"tags":{"type":["array","null"],"items":{"type":["integer","null"]}},
	"obj":{"type":["object","null"],"properties":{"a":{"type":"string"},"b":{"type":"number"}}},
	"must":{"type":["integer","null"]}}}`

// properties are those of everyProperty in their order, with the types that a Parquet
// file has for them.
var properties = [][2]string{
	{"id", "VARCHAR"},
	{"at", "TIMESTAMPTZ"},
	{"text", "VARCHAR"},
	{"n", "BIGINT"},
	{"small", "TINYINT"},
	{"x", "DOUBLE"},
	{"dec", "DECIMAL(38,10)"},
	{"flag", "BOOLEAN"},
	{"day", "DATE"},
	{"ref", "UUID"},
	{"tags", "BIGINT[]"},
	{"obj", "STRUCT(a VARCHAR, b DOUBLE)"},
	{"must", "BIGINT"},
}

// row is a generated event: strings are texts, json.RawMessage everything else; what
// is not there is absent or null.
type row map[string]any

type generator struct{ *rand.Rand }

func pick[T any](g generator, from ...T) T { return from[g.IntN(len(from))] }

func (g generator) text() string {
	var b strings.Builder
	for range g.IntN(6) {
		b.WriteString(pick(g, `"`, `""`, ",", ";", "\t", "|", "\n", "\r", "\r\n", `\`, `\n`, " ", "'", "a", "é", "e\u0301", "😀", "👩‍👩‍👧", "שלום", "مرحبا", "\u200b", "\u2028", "\ufeff",
			"\x1f", "\x7f", "null", "NULL", "true", "007", "1e5", "2025-11-25", "{}", "[", "\ufffd", "\U0010ffff"))
	}
	return b.String()
}

func (g generator) integer() string {
	n := pick(g, 0, 1, -1, 1<<53, 1<<53+1, 1<<53-1, -(1<<53)-1, math.MaxInt64, math.MinInt64, math.MaxInt64-1, g.Int64N(1000), int64(g.Uint64()))
	return strconv.FormatInt(n, 10)
}

func (g generator) float() string {
	x := pick(g, 0, 0.1, 5e-324, math.MaxFloat64, 1e21, 1e-7, -2.5, 1<<53, g.NormFloat64(), math.Float64frombits(g.Uint64()))
	if math.IsNaN(x) || math.IsInf(x, 0) {
		x = 1
	}
	return strconv.FormatFloat(x, byte(pick(g, 'g', 'e')), -1, 64)
}

func (g generator) decimal() string {
	return fmt.Sprintf("%s%d.%010d", pick(g, "", "-"), 1e9+g.Uint64N(9e9), g.Uint64N(1e10))
}

func (g generator) day() string {
	return time.Unix(g.Int64N(253402300800+62167219200)-62167219200, 0).UTC().Format(time.DateOnly)
}

func (g generator) instant() string {
	if g.IntN(20) == 0 {
		return pick(g, "2016-12-31T23:59:60Z", "2017-01-01T00:59:60+01:00", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "1969-12-31t23:59:59.5z")
	}
	return "19" + g.day()[2:] + fmt.Sprintf("T%02d:%02d:%02d%s%s", g.IntN(24), g.IntN(60), g.IntN(60), pick(g, "", ".5", ".000001", ".123456"), pick(g, "Z", "+02:00", "-11:30", "+14:00"))
}

func (g generator) row(i int) row {
	raw := func(text string) json.RawMessage { return json.RawMessage(text) }
	r := row{"id": strconv.Itoa(i) + g.text(), "at": g.instant(), "must": nil}
	for name, value := range map[string]func() any{
		"text": func() any { return g.text() }, "n": func() any { return raw(g.integer()) }, "small": func() any { return raw(strconv.Itoa(g.IntN(256) - 128)) },
		"x": func() any { return raw(g.float()) }, "dec": func() any { return raw(g.decimal()) }, "flag": func() any { return raw(pick(g, "true", "false")) },
		"day": func() any { return g.day() }, "ref": func() any { return fmt.Sprintf("%08x-89ab-cdef-f123-%012x", g.Uint32(), g.Uint64()>>16) },
		"tags": func() any { return raw(pick(g, "[]", "[1]", "["+g.integer()+",null,"+g.integer()+"]")) },
		"obj": func() any {
			text, _ := json.Marshal(g.text())
			return raw(`{"a":` + string(text) + pick(g, "", `,"b":`+g.float()) + "}")
		},
		"must": func() any { return raw(g.integer()) },
	} {
		if g.IntN(4) > 0 {
			r[name] = value()
		}
	}
	return r
}

// canonical is a document in which equal values are written the same way.
func canonical(t *testing.T, doc []byte) string {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", doc, err)
	}
	if at, ok := v["at"].(string); ok {
		v["at"] = micros(at)
	}
	if text, err := json.Marshal(normal(v)); err == nil {
		return string(text)
	}
	t.Fatalf("%s", doc)
	return ""
}

func normal(v any) any {
	switch v := v.(type) {
	case json.Number:
		n, _ := new(big.Rat).SetString(v.String())
		return n.RatString()
	case map[string]any:
		for name, value := range v {
			if v[name] = normal(value); value == nil {
				delete(v, name)
			}
		}
	case []any:
		for i := range v {
			v[i] = normal(v[i])
		}
	}
	return v
}

// micros is an instant; that of a leap second is the second that follows.
func micros(at string) int64 {
	at = strings.ToUpper(at)
	leap := strings.Contains(at, ":60")
	parsed, err := time.Parse(time.RFC3339Nano, strings.Replace(at, ":60", ":59", 1))
	if err != nil {
		panic(err)
	}
	if leap {
		parsed = parsed.Add(time.Second)
	}
	return parsed.UnixMicro()
}

// document is the row as JSON.
func (r row) document(t *testing.T) []byte {
	t.Helper()
	text, err := json.Marshal(map[string]any(r))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// field is a value as a text, as CSV has it.
func (r row) field(name string) (string, bool) {
	switch v := r[name].(type) {
	case string:
		return v, true
	case json.RawMessage:
		return string(v), true
	default:
		return "", false
	}
}

// written are the rows as another tool writes them.
type written struct {
	name, content string
	lost          string // the property that the tool can't write, of text the empty one
	text          bool
}

func writeAll(t *testing.T, rows []row) []written {
	t.Helper()
	var ndjson, table bytes.Buffer
	var all []json.RawMessage
	w := csv.NewWriter(&table)
	var header []string
	for _, p := range properties {
		header = append(header, p[0])
	}
	_ = w.Write(header)
	for _, r := range rows {
		doc := r.document(t)
		all = append(all, doc)
		ndjson.Write(append(doc, '\n'))
		var record []string
		for _, name := range header {
			text, _ := r.field(name)
			record = append(record, text)
		}
		_ = w.Write(record)
	}
	w.Flush()
	indented, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append([]written{
		{"encoding-json.ndjson", ndjson.String(), "", true},
		{"encoding-json.json", string(indented), "", true},
		{"encoding-csv.csv", table.String(), "text", true},
		{"arrow.parquet", arrowFile(t, rows), "", false},
	}, duckFiles(t, rows, header)...)
}

// duckFiles are what DuckDB writes, of texts and of types.
func duckFiles(t *testing.T, rows []row, header []string) []written {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	exec := func(query string, args ...any) {
		if _, err := db.ExecContext(t.Context(), query, args...); err != nil {
			t.Fatalf("%s %q: %v", query, args, err)
		}
	}
	var texts, names, casts []string
	for _, p := range properties {
		names = append(names, `"`+p[0]+`"`)
		text := "JSON"
		if p[1] == "VARCHAR" || p[0] == "at" || p[0] == "day" || p[0] == "ref" {
			text = "VARCHAR"
		}
		texts = append(texts, `"`+p[0]+`" `+text)
		cast := `"` + p[0] + `"::` + p[1] + ` AS "` + p[0] + `"`
		switch p[0] {
		case "n", "small", "x", "dec", "flag", "must":
			cast = `"` + p[0] + `"::VARCHAR::` + p[1] + ` AS "` + p[0] + `"`
		case "obj":
			cast = `CASE WHEN obj IS NOT NULL THEN {'a': obj->>'$.a', 'b': (obj->'$.b')::VARCHAR::DOUBLE} END AS obj`
		case "at":
			cast = `make_timestamptz(instant) AS "at"`
		}
		casts = append(casts, cast)
	}
	exec("SET TimeZone = 'UTC'")
	exec("CREATE TABLE texts (" + strings.Join(texts, ", ") + ", instant BIGINT)")
	holes := strings.TrimSuffix(strings.Repeat("?, ", len(header)+1), ", ")
	for _, r := range rows {
		var args []any
		for _, name := range header {
			if text, ok := r.field(name); ok {
				args = append(args, text)
			} else {
				args = append(args, nil)
			}
		}
		exec("INSERT INTO texts VALUES ("+holes+")", append(args, micros(r["at"].(string)))...)
	}
	var out []written
	for name, query := range map[string]string{
		"duckdb.json": "(FORMAT json)", "duckdb-array.json": "(FORMAT json, ARRAY true)", "duckdb.csv": "(FORMAT csv, HEADER)", "duckdb.tsv": "(FORMAT csv, HEADER, DELIMITER '\t')",
		"duckdb-typed.parquet": "(FORMAT parquet)", "duckdb.csv.zst": "(FORMAT csv, HEADER, COMPRESSION zstd)", "duckdb.json.gz": "(FORMAT json, COMPRESSION gzip)",
	} {
		path := filepath.Join(t.TempDir(), name)
		from := strings.Join(names, ", ")
		if strings.Contains(name, "typed") {
			from = strings.Join(casts, ", ")
		}
		lost := ""
		if strings.Contains(name, "json") { // it would write dec's nearest double
			lost, from = "dec", strings.Replace(from, `"dec", `, "", 1)
		}
		exec("COPY (SELECT " + from + " FROM texts) TO '" + path + "' " + query)
		out = append(out, written{name, readFile(t, path), lost, name == "duckdb.json" || name == "duckdb.csv"})
	}
	return out
}

// arrowFile is what arrow-go writes, texts as bytes.
func arrowFile(t *testing.T, rows []row) string {
	t.Helper()
	types := []arrow.DataType{
		arrow.BinaryTypes.Binary, &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "Europe/Madrid"}, arrow.BinaryTypes.LargeString,
		arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Float64, &arrow.Decimal128Type{Precision: 38, Scale: 10},
		arrow.FixedWidthTypes.Boolean, arrow.FixedWidthTypes.Date32, arrow.BinaryTypes.String, arrow.ListOf(arrow.PrimitiveTypes.Int64),
		arrow.StructOf(arrow.Field{Name: "a", Type: arrow.BinaryTypes.Binary, Nullable: true}, arrow.Field{Name: "b", Type: arrow.PrimitiveTypes.Float64, Nullable: true}),
		arrow.PrimitiveTypes.Int64,
	}
	var fields []arrow.Field
	for i, p := range properties {
		fields = append(fields, arrow.Field{Name: p[0], Type: types[i], Nullable: true})
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	defer b.Release()
	for _, r := range rows {
		for i, p := range properties {
			text, ok := r.field(p[0])
			if !ok {
				b.Field(i).AppendNull()
				continue
			}
			switch to := b.Field(i).(type) {
			case *array.BinaryBuilder:
				to.Append([]byte(text))
			case *array.TimestampBuilder:
				to.Append(arrow.Timestamp(micros(text)))
			case *array.Decimal128Builder:
				n, err := decimal128.FromString(text, 38, 10)
				check(t, err)
				to.Append(n)
			case *array.Date32Builder:
				day, err := time.Parse(time.DateOnly, text)
				check(t, err)
				to.Append(arrow.Date32FromTime(day))
			case *array.ListBuilder:
				var items []*int64
				check(t, json.Unmarshal([]byte(text), &items))
				to.Append(true)
				for _, item := range items {
					appendOrNull(to.ValueBuilder(), item, to.ValueBuilder().(*array.Int64Builder).Append)
				}
			case *array.StructBuilder:
				var o struct {
					A string
					B *float64
				}
				check(t, json.Unmarshal([]byte(text), &o))
				to.Append(true)
				to.FieldBuilder(0).(*array.BinaryBuilder).Append([]byte(o.A))
				appendOrNull(to.FieldBuilder(1), o.B, to.FieldBuilder(1).(*array.Float64Builder).Append)
			default:
				check(t, to.AppendValueFromString(text))
			}
		}
	}
	record := b.NewRecordBatch()
	defer record.Release()
	var file bytes.Buffer
	w, err := pqarrow.NewFileWriter(record.Schema(), &file, parquet.NewWriterProperties(), pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	check(t, err)
	check(t, w.Write(record))
	check(t, w.Close())
	return file.String()
}

func appendOrNull[T any](to array.Builder, value *T, add func(T)) {
	if value == nil {
		to.AppendNull()
	} else {
		add(*value)
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestRoundTrip: what other tools write is read as it was, with no mapping and with
// one that takes everything, and is an event of the contract.
func TestRoundTrip(t *testing.T) {
	t.Parallel()
	from := *seed
	if from == 0 {
		from = uint64(time.Now().UnixNano())
	}
	c, err := contract.Parse("things", "contract.json", []byte(everyProperty))
	check(t, err)
	g := generator{rand.New(rand.NewPCG(from, 0))}
	for round := range 2 {
		var rows []row
		for i := range 100 {
			rows = append(rows, g.row(i))
		}
		for _, w := range writeAll(t, rows) {
			content, name := w.content, w.name
			wide := w.text && round%2 == 1
			if wide {
				content, err = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(content)
				check(t, err)
			}
			switch packed := pick(g, "plain", "gzip", "zstd"); {
			case strings.HasSuffix(name, ".gz"), strings.HasSuffix(name, ".zst"):
			case packed == "gzip":
				content, name = gzipped(t, content), name+".gz"
			case packed == "zstd":
				content, name = zstded(t, content), name+".zst"
			}
			path := fileOf(t, name, content)
			for _, mapping := range []string{"", everything} {
				cfg := importer.Config{Path: path, Shape: c.Shape(), Mapping: mapping}
				compare(t, fmt.Sprintf("-seed %d, round %d, %s, mapping %q", from, round, name, mapping), c, cfg, rows, w.lost, wide)
			}
		}
	}
}

func compare(t *testing.T, what string, c *contract.Contract, cfg importer.Config, rows []row, lost string, wide bool) {
	t.Helper()
	f, err := importer.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	defer f.Close()
	decoder, batch := c.NewDecoder(), c.NewBatch(0, 1)
	got, refused := map[string]string{}, 0
	err = f.Each(t.Context(), func(d importer.Document) error {
		if d.Problem != nil {
			if refused++; !wide || !strings.Contains(d.Problem.Error(), "U+FFFD") {
				t.Errorf("%s: line %d: %v", what, d.Line, d.Problem)
			}
			return nil
		}
		batch.Reset()
		if !decoder.Decode(batch, d.JSON, event.ID{}, 0) {
			t.Errorf("%s: line %d: %s: %v", what, d.Line, d.JSON, batch.Rejects[0].Violations)
		}
		var id struct{ ID string }
		check(t, json.Unmarshal(d.JSON, &id))
		got[id.ID] = canonical(t, d.JSON)
		return nil
	})
	if err != nil {
		t.Errorf("%s: %v", what, err)
	}
	faulty := 0
	for _, r := range rows {
		doc := r.document(t)
		if wide && bytes.Contains(doc, []byte("\ufffd")) {
			faulty++
			continue
		}
		if lost == "dec" || lost == "text" && r[lost] == "" {
			without := maps.Clone(r)
			delete(without, lost)
			doc = without.document(t)
		}
		if id := r["id"].(string); got[id] != canonical(t, doc) {
			t.Errorf("%s\n got %s\nwant %s", what, got[id], canonical(t, doc))
		}
	}
	if refused != faulty || len(got) != len(rows)-faulty {
		t.Errorf("%s: %d rows of %d, %d refused, expected %d", what, len(got), len(rows), refused, faulty)
	}
}
