package main_test

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/klauspost/compress/zstd"
)

// everyType is a contract with a property of every type there is.
const everyType = `{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "x-estela": {"key": "id", "time": "at", "shards": 2},
  "required": ["id", "at"],
  "additionalProperties": false,
  "properties": {
    "id": {"type": "string"},
    "at": {"type": "string", "format": "date-time"},
    "text": {"type": "string"},
    "note": {"type": ["string", "null"]},
    "big": {"type": "integer"},
    "tiny": {"type": "integer", "minimum": -128, "maximum": 127},
    "x": {"type": "number"},
    "flag": {"type": "boolean"},
    "day": {"type": "string", "format": "date"},
    "ref": {"type": "string", "format": "uuid"},
    "doc": {"type": "object"},
    "list": {"type": "array"}
  }
}`

// typeOf is how the columns of everyType are written for DuckDB.
var typeOf = [][2]string{
	{"id", "VARCHAR"},
	{"at", "TIMESTAMPTZ"},
	{"text", "VARCHAR"},
	{"note", "VARCHAR"},
	{"big", "BIGINT"},
	{"tiny", "TINYINT"},
	{"x", "DOUBLE"},
	{"flag", "BOOLEAN"},
	{"day", "DATE"},
	{"ref", "UUID"},
	{"doc", "JSON"},
	{"list", "JSON"},
}

// event is one event by its properties, each as the text of a JSON value; what is absent is
// not in it.
type event map[string]string

// oddTexts are strings that something on the way might take for something else.
var oddTexts = []string{
	" ", "a,b", "a;b", "tab\there", "line\nbreak", "line\r\nbreak", `say "so"`, `back\slash`, "'", "007", "1e3", "12E5", "true", "null", "NULL", "NaN",
	"25-11-2025", "2025-11-25T10:00:00+02:00", " lead", "trail ", "ñandú", "日本語", "🚀", "👩‍👩‍👧", "\u202eltr", "\ufeffbom", "zero\u200bwidth",
	"e\u0301", "#", "--", "{}", "[1]", "\\N", "-", "=1+1", "\u0001", "\u2028", strings.Repeat("long ", 300),
}

var oddIntegers = []string{
	"0", "-1", "9007199254740991", "9007199254740992", "9007199254740993", "-9007199254740993", "9223372036854775807", "-9223372036854775808",
}

var oddNumbers = []string{
	"0", "0.1", "-0.5", "1e-7", "1.7976931348623157e308", "5e-324", "9007199254740993", "12345678901234567890", "3.14159265358979323846", "100",
}

// oddTimes are date-times and the instants that they are.
var oddTimes = [][2]string{
	{"2025-11-25T10:00:00+02:00", "2025-11-25T08:00:00Z"},
	{"2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"},
	{"0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"},
	{"9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"},
	{"2001-02-28t23:59:59.5z", "2001-02-28T23:59:59.5Z"},
	{"1969-12-31T23:59:59.1234567-03:30", "1970-01-01T03:29:59.123456Z"},
}

var oddDocs = []string{`{}`, `{"a":{"b":[1,2,{"c":"d"}]}}`, `{"n":12345678901234567890.123456789,"t":"2025-11-25T10:00:00+02:00"}`, `{"é":"\"","e":""}`}

var oddLists = []string{`[]`, `[1,"1",true]`, `["a,b","c\"d"]`, `[[],[[]]]`, `[9007199254740993]`}

// generate makes an event and what it has to be when it comes out.
func generate(r *rand.Rand, id string) (in, out event) {
	quoted := func(s string) string {
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		_ = enc.Encode(s) // a string can always be
		return strings.TrimSuffix(b.String(), "\n")
	}
	pick := func(all []string) string { return all[r.IntN(len(all))] }
	at := oddTimes[r.IntN(len(oddTimes))]
	day := time.Unix(r.Int64N(4e9)-2e9, 0).UTC().Format(time.DateOnly)
	ref := fmt.Sprintf("%08x-0000-4000-8000-%012x", r.Uint32(), r.Uint64N(1<<48))
	in = event{"id": quoted(id), "at": quoted(at[0])}
	for name, value := range map[string]string{
		"text": quoted(pick(oddTexts) + pick([]string{"", pick(oddTexts)})), "note": quoted(pick(oddTexts)),
		"big": pick([]string{pick(oddIntegers), strconv.FormatInt(int64(r.Uint64()), 10)}), "tiny": strconv.Itoa(r.IntN(256) - 128),
		"x":    pick([]string{pick(oddNumbers), strconv.FormatFloat(r.NormFloat64(), 'g', -1, 64)}),
		"flag": strconv.FormatBool(r.IntN(2) == 0), "day": quoted(day), "ref": quoted(ref), "doc": pick(oddDocs), "list": pick(oddLists),
	} {
		if r.IntN(5) > 0 {
			in[name] = value
		}
	}
	out = maps.Clone(in)
	out["at"] = quoted(at[1])
	return in, out
}

// decoded is the value of a property as a reader has it: what JSON writes in several ways is one.
func decoded(t *testing.T, name, text string) string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %q: %v", name, text, err)
	}
	if n, ok := v.(json.Number); ok && name == "x" {
		f, err := n.Float64()
		if err != nil {
			t.Fatal(err)
		}
		return strconv.FormatFloat(f, 'g', -1, 64)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// written is a way to put events into a file.
type written struct {
	name  string
	write func(t *testing.T, file string, events []event)
}

func writeJSON(t *testing.T, file string, events []event, begin, between, end string) {
	t.Helper()
	lines := make([]string, len(events))
	for i, e := range events {
		members := make([]string, 0, len(e))
		for name, value := range e {
			members = append(members, strconv.Quote(name)+":"+value)
		}
		slices.Sort(members)
		lines[i] = "{" + strings.Join(members, ",") + "}"
	}
	writeFile(t, file, begin+strings.Join(lines, between)+end)
}

// writePretty writes documents over several lines, one after the other.
func writePretty(t *testing.T, file string, events []event) {
	t.Helper()
	writeJSON(t, file, events, "", "\n", "")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	for line := range bytes.Lines(text) {
		if err := json.Indent(&all, line, "", "  "); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, file, all.String())
}

// plainField is a JSON value as a field of CSV.
func plainField(t *testing.T, value string) string {
	t.Helper()
	if strings.HasPrefix(value, `"`) {
		var s string
		if err := json.Unmarshal([]byte(value), &s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	return value
}

func writeSeparated(t *testing.T, file string, events []event, comma rune) {
	t.Helper()
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Comma = comma
	for i := -1; i < len(events); i++ {
		record := make([]string, len(typeOf))
		for c, column := range typeOf {
			if i < 0 {
				record[c] = column[0]
			} else {
				record[c] = plainField(t, events[i][column[0]])
			}
		}
		if err := w.Write(record); err != nil {
			t.Fatal(err)
		}
	}
	w.Flush()
	writeFile(t, file, b.String())
}

// writeParquet has DuckDB write typed columns; times are cut to microseconds as a column has them.
func writeParquet(t *testing.T, file string, events []event) {
	t.Helper()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	var columns, marks []string
	for _, c := range typeOf {
		columns = append(columns, strconv.Quote(c[0])+" "+c[1])
		marks = append(marks, "CAST(? AS "+c[1]+")")
	}
	if _, err := db.ExecContext(t.Context(), "SET TimeZone = 'UTC'; CREATE TABLE rows ("+strings.Join(columns, ", ")+")"); err != nil {
		t.Fatal(err)
	}
	insert, err := db.PrepareContext(t.Context(), "INSERT INTO rows VALUES ("+strings.Join(marks, ", ")+")")
	if err != nil {
		t.Fatal(err)
	}
	defer insert.Close()
	for _, e := range events {
		values := make([]any, len(typeOf))
		for c, column := range typeOf {
			value, ok := e[column[0]]
			if i := slices.IndexFunc(oddTimes, func(o [2]string) bool { return value == strconv.Quote(o[0]) }); i >= 0 && column[0] == "at" {
				value = strconv.Quote(oddTimes[i][1]) // it knows no leap second, and no lower case
			}
			if ok {
				values[c] = plainField(t, value)
			}
		}
		if _, err := insert.ExecContext(t.Context(), values...); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.ExecContext(t.Context(), "COPY rows TO '"+file+"' (FORMAT parquet)"); err != nil {
		t.Fatal(err)
	}
}

var ways = []written{
	{"a.ndjson", func(t *testing.T, file string, events []event) {
		t.Helper()
		writeJSON(t, file, events, "", "\n", "\n")
	}},
	{"b.json", func(t *testing.T, file string, events []event) {
		t.Helper()
		writeJSON(t, file, events, "[\n", ",\r\n", "]")
	}},
	{"c.csv", func(t *testing.T, file string, events []event) { t.Helper(); writeSeparated(t, file, events, ',') }},
	{"d.tsv", func(t *testing.T, file string, events []event) { t.Helper(); writeSeparated(t, file, events, '\t') }},
	{"e.parquet", func(t *testing.T, file string, events []event) {
		t.Helper()
		writeParquet(t, file, events)
	}},
	{"f.json", writePretty},
}

// compress writes the file again, compressed, and names the copy.
func compress(t *testing.T, file, suffix string) string {
	t.Helper()
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if suffix == ".zst" {
		if w, err = zstd.NewWriter(&b); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	writeFile(t, file+suffix, b.String())
	return file + suffix
}

// TestE2ERoundTrip publishes generated values of every type, written as every format by other
// tools, with and without a mapping that changes nothing, and reads them back in each format of
// the answers.
func TestE2ERoundTrip(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	data, dir := filepath.Join(t.TempDir(), "data"), t.TempDir()
	files := filepath.Join(data, "values")
	if err := os.MkdirAll(filepath.Join(files, "endpoints"), 0o755); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(files, "contract.json"), everyType)
	writeFile(t, filepath.Join(files, "endpoints", "all.sql"), "-- All.\n-- order: id\nSELECT * FROM \"values\"\n")
	same := filepath.Join(dir, "same.sql")
	writeFile(t, same, "SELECT * FROM source")
	s := up(t, dir, "--data", data)
	want := map[string]event{}
	const each = 150
	for i, mapping := range []string{"none", same} {
		for _, way := range ways {
			events := make([]event, each)
			for n := range events {
				id := fmt.Sprintf("%s-%d-%d", way.name, i, n)
				events[n], want[id] = generate(r, id)
			}
			file := filepath.Join(dir, strconv.Itoa(i)+way.name)
			way.write(t, file, events)
			if suffix := []string{"", ".gz", ".zst"}[r.IntN(3)]; suffix != "" {
				file = compress(t, file, suffix)
			}
			must(t, "", "publish", "values", file, "--mapping", mapping, "--data", data, "--data-dir", dir)
		}
	}
	s.awaitEvents("values", "stored", len(want))
	for format, decode := range map[string]func(*testing.T, []byte) []event{
		"json": readJSON, "ndjson": readNDJSON, "csv": readCSV, "parquet": readParquet, "arrow": readArrow,
	} {
		body, err := get("http://" + s.api + "/v1/values/all?limit=10000&format=" + format)
		if err != nil {
			t.Fatal(err)
		}
		compareEvents(t, format, want, decode(t, []byte(body)))
	}
}

func compareEvents(t *testing.T, format string, want map[string]event, got []event) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d events, want %d", format, len(got), len(want))
	}
	for _, g := range got {
		id := plainField(t, g["id"])
		for _, c := range typeOf {
			name := c[0]
			in, has := want[id][name]
			out, came := g[name]
			if format == "csv" { // whose reader makes one line end of two characters
				in = strings.ReplaceAll(in, `\r\n`, `\n`)
			}
			switch {
			case has != came:
				t.Errorf("%s: %s: %s: sent %q, came %q", format, id, name, in, out)
			case has && decoded(t, name, in) != decoded(t, name, out):
				t.Errorf("%s: %s: %s: sent %s, came %s", format, id, name, in, out)
			}
			if t.Failed() && len(want) > 100 {
				return // the first one says it
			}
		}
	}
}

// present leaves out what is null.
func present(row map[string]json.RawMessage) event {
	e := event{}
	for name, value := range row {
		if string(value) != "null" {
			e[name] = string(value)
		}
	}
	return e
}

func readJSON(t *testing.T, body []byte) (all []event) {
	t.Helper()
	var a struct{ Data []map[string]json.RawMessage }
	if err := json.Unmarshal(body, &a); err != nil {
		t.Fatal(err)
	}
	for _, row := range a.Data {
		all = append(all, present(row))
	}
	return all
}

func readNDJSON(t *testing.T, body []byte) (all []event) {
	t.Helper()
	for d := json.NewDecoder(bytes.NewReader(body)); d.More(); {
		var row map[string]json.RawMessage
		if err := d.Decode(&row); err != nil {
			t.Fatal(err)
		}
		all = append(all, present(row))
	}
	return all
}

// fromText is a value of a text format as JSON.
func fromText(kind, text string) string {
	switch kind {
	case "VARCHAR", "TIMESTAMPTZ", "DATE", "UUID":
		b, _ := json.Marshal(text) // a string can always be
		return string(b)
	}
	return text
}

func readCSV(t *testing.T, body []byte) (all []event) {
	t.Helper()
	records, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, record := range records[1:] {
		e := event{}
		for c, text := range record {
			if text != "" {
				e[typeOf[c][0]] = fromText(typeOf[c][1], text)
			}
		}
		all = append(all, e)
	}
	return all
}

// readParquet has DuckDB read it.
func readParquet(t *testing.T, body []byte) []event {
	t.Helper()
	file := filepath.Join(t.TempDir(), "answer.parquet")
	writeFile(t, file, string(body))
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), `SELECT id, strftime("at", '%Y-%m-%dT%H:%M:%S.%fZ'), text, note, big::VARCHAR, tiny::VARCHAR,
		x::VARCHAR, flag::VARCHAR, day::VARCHAR, ref::VARCHAR, doc, list FROM read_parquet('`+file+`')`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var all []event
	for rows.Next() {
		values, into := make([]sql.NullString, len(typeOf)), make([]any, len(typeOf))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		e := event{}
		for i, v := range values {
			if v.Valid {
				e[typeOf[i][0]] = fromText(typeOf[i][1], v.String)
			}
		}
		e["at"] = trimmedTime(e["at"])
		all = append(all, e)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// trimmedTime is the time without zeros that say nothing, as the answers have it.
func trimmedTime(quoted string) string {
	text := strings.TrimSuffix(quoted, `Z"`)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return text + `Z"`
}

func readArrow(t *testing.T, body []byte) (all []event) {
	t.Helper()
	r, err := ipc.NewReader(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	for r.Next() {
		batch := r.RecordBatch()
		for i := range int(batch.NumRows()) {
			e := event{}
			for c, column := range batch.Columns() {
				if column.IsNull(i) {
					continue
				}
				name := typeOf[c][0]
				if at, ok := column.(*array.Timestamp); ok {
					e[name] = trimmedTime(at.Value(i).ToTime(arrow.Microsecond).Format(`"2006-01-02T15:04:05.000000Z"`))
					continue
				}
				e[name] = fromText(typeOf[c][1], column.ValueStr(i))
			}
			all = append(all, e)
		}
	}
	if err := r.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}
