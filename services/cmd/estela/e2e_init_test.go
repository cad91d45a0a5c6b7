package main_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sync/errgroup"
	"golang.org/x/text/encoding/charmap"
)

// unseen is a file that nobody has described, and what is to come of it.
type unseen struct {
	// files are those of one dataset; query is DuckDB's count of its rows and sum of a column.
	files map[string][]byte
	query string
	// copied is a query whose rows are the file of that name, as Parquet.
	copied map[string]string
	// total is the column of the summary that is compared with the sum.
	total string
	// key and time are what the contract says.
	key, time string
	// invalid is how many rows are reported.
	invalid int
	args    []string
}

// lines writes a header and n rows.
func lines(header string, n int, row func(i int) string) []byte {
	var b bytes.Buffer
	if header != "" {
		b.WriteString(header + "\n")
	}
	for i := range n {
		b.WriteString(row(i) + "\n")
	}
	return b.Bytes()
}

func gzipped(text []byte) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(text)
	_ = w.Close()
	return b.Bytes()
}

func zstandard(text []byte) []byte {
	w, _ := zstd.NewWriter(nil)
	return w.EncodeAll(text, nil)
}

func windows1252(text []byte) []byte {
	out, err := charmap.Windows1252.NewEncoder().Bytes(text)
	if err != nil {
		panic(err)
	}
	return out
}

func littleEndian(text []byte) []byte {
	out := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(string(text))) {
		out = append(out, byte(unit), byte(unit>>8))
	}
	return out
}

func pick(i int, of ...string) string { return of[i%len(of)] }

// unseenFiles are files of all kinds; those of DuckDB's queries are in the folder that %s stands for.
func unseenFiles() map[string]unseen {
	hours := func(i int) string { return fmt.Sprintf("2026-%02d-%02d", 1+i/24/28%12, 1+i/24%28) }
	ventas := lines("Nº Factura;Fecha;Región;Importe (€)", 1500, func(i int) string {
		return fmt.Sprintf("F-%04d;%02d/%02d/2026;%s;%d.%03d,%02d", i, 1+i%28, 1+i%12, pick(i, "Andalucía", "Aragón", "Ñuble"), 1+i%9, i%1000, i%100)
	})
	equal := func(i int) string { return fmt.Sprintf("%s,%d", pick(i, "a", "b", "c"), i%4) }
	names := lines(`姓名,Ελλάδα,emoji 🎉,说明`, 150, func(i int) string {
		return fmt.Sprintf("\"名%d\n第二行\",\"a \"\"quoted\"\" %s\",%s,%d", i, pick(i, "α", "β"), pick(i, "🎉", "🎈"), i)
	})
	return map[string]unseen{
		"orders": {
			files: map[string][]byte{"orders.csv": lines("Order Id,Ordered At,Country,Quantity,Unit Price,Zip Code", 3000, func(i int) string {
				return fmt.Sprintf("ORD-%05d,2026-%02d-%02dT%02d:00:00Z,%s,%d,%d.%02d,%05d", i, 1+i%12, 1+i%28, i%24, pick(i, "CL", "PE", "BR"), 1+i%7, i%90, i%100, i)
			})},
			query: "SELECT count(*), sum(Quantity) FROM '%s/orders.csv'", total: "total_quantity", key: `"order_id"`, time: "ordered_at",
		},
		"ventas": { // semicolons, a code page, gzip, day first, decimal commas
			files: map[string][]byte{"ventas.csv.gz": gzipped(windows1252(ventas)), "ventas.txt": ventas}, args: []string{"--encoding", "windows-1252"},
			query: `SELECT count(*), sum(replace(replace("Importe (€)", '.', ''), ',', '.')::DOUBLE) FROM read_csv('%s/ventas.txt', all_varchar = true, delim = ';')`,
			total: "total_importe", key: `"n_factura"`, time: "fecha",
		},
		"tabs": { // TSV, zstd, yes and no, NA, True and False
			files: map[string][]byte{"tabs.tsv.zst": zstandard(lines("sku\tactive\tinStock\tweight", 400, func(i int) string {
				return fmt.Sprintf("%03d-X\t%s\t%s\t%s", i, pick(i, "yes", "no"), pick(i, "True", "FALSE"), pick(i, "1.5", "NA", "2"))
			}))},
			query: "SELECT count(*), sum(TRY_CAST(weight AS DOUBLE)) FROM read_csv('%s/tabs.tsv.zst', delim = '\t', all_varchar = true)", total: "total_weight", key: `"sku"`,
		},
		"us": { // bars, month first with times, thousands
			files: map[string][]byte{"us.csv": lines("Ticket|Opened|Closed|Amount", 500, func(i int) string {
				return fmt.Sprintf("%d|%d/%d/2026 %d:05|%s|%d,%03d.50", 7000+i, 1+i%12, 1+i%28, 10+i%14, pick(i, "", "1/31/2026 14:00"), 1+i%9, i)
			})},
			query: `SELECT count(*), sum(replace("Amount", ',', '')::DOUBLE) FROM read_csv('%s/us.csv', all_varchar = true, delim = '|')`, total: "total_amount", key: `"ticket"`, time: "opened",
		},
		"events": { // NDJSON, nested, null, local times, camel case, property that few rows have
			files: map[string][]byte{"events.ndjson": lines("", 2500, func(i int) string {
				return fmt.Sprintf(`{"eventId":%d,"occurredAt":"2026-02-%02dT06:00:%02d","user":{"id":%d,"tags":["x"]},"score":%s,"kind":"%s"%s}`,
					9_000_000_000+i, 1+i%28, i%60, i%50, pick(i, "1", "2.5", "null"), pick(i, "open", "close"), pick(i, strings.Repeat(" ", i%3), ""))
			})},
			query: "SELECT count(*), sum(score) FROM read_ndjson('%s/events.ndjson')", total: "total_score", key: `"event_id"`, time: "occurred_at",
		},
		"pretty": { // JSON, an array on many lines
			files: map[string][]byte{"pretty.json": []byte("[\n" + strings.Join(slices.Collect(func(yield func(string) bool) {
				for i := range 300 {
					yield(fmt.Sprintf("  {\n    \"id\": \"%08x-e89b-12d3-a456-426614174000\",\n    \"at\": \"2026-03-%02dT00:00:00+01:00\",\n    \"n\": %d\n  }", i, 1+i%28, i))
				}
			}), ",\n") + "\n]\n")},
			query: "SELECT count(*), sum(n) FROM read_json('%s/pretty.json')", total: "total_n", key: `"id"`, time: "at",
		},
		"readings": { // Parquet: times without a zone, doubles that are whole, decimals, lists
			copied: map[string]string{"readings.parquet": `SELECT range AS "Reading", TIMESTAMP '2026-01-01' + INTERVAL (range) MINUTE AS "Taken At", (range % 7)::DOUBLE AS celsius,
				(range * 1.25)::DECIMAL(12, 2) AS price, [range, 1] AS list, {'a': range} AS nested, 'site ' || range % 4 AS site FROM range(4000)`},
			query: "SELECT count(*), sum(celsius) FROM '%s/readings.parquet'", total: "total_celsius", key: `"reading"`, time: "taken_at",
		},
		"repeated": { // Parquet without a key
			copied: map[string]string{"repeated.parquet": "SELECT DATE '2026-01-01' + (range % 3)::INTEGER AS day, range % 5 AS n, CAST('x' || range % 2 AS BLOB) AS word FROM range(1200)"},
			query:  "SELECT count(*), sum(n) FROM '%s/repeated.parquet'", total: "total_n", key: `"row_id"`, time: "day",
		},
		"daily": { // a daily series needs nothing else
			files: map[string][]byte{"daily.csv": lines("Date,Close", 700, func(i int) string { return fmt.Sprintf("%d-%02d-%02d,%d.5", 2020+i/336, 1+i/28%12, 1+i%28, i) })},
			query: `SELECT count(*), sum("Close") FROM '%s/daily.csv'`, total: "total_close", key: `"date"`, time: "date",
		},
		"hourly": { // a key of three
			files: map[string][]byte{"hourly.csv": lines("station,day,hour,wind", 21_000, func(i int) string {
				return fmt.Sprintf("%s,%s,%d,%d.25", pick(i/7000, "north", "south", "east"), hours(i%7000), i%7000%24, i%40)
			})},
			query: "SELECT count(*), sum(wind) FROM '%s/hourly.csv'", total: "total_wind", key: `["station", "day", "hour"]`, time: "day",
		},
		"equal": { // rows that are equal are rows
			files: map[string][]byte{"equal.csv": lines("word,n", 900, equal)},
			query: "SELECT count(*), sum(n) FROM '%s/equal.csv'", total: "total_n", key: `"row_id"`,
		},
		"same": { // and so are documents
			files: map[string][]byte{"same.ndjson": lines("", 2000, func(i int) string {
				return fmt.Sprintf(`{"kind":"%s","size":%s}`, pick(i, "x", "y"), pick(i%1999, "1", "2.0", "3"))
			})},
			query: "SELECT count(*), sum(size) FROM read_ndjson('%s/same.ndjson')", total: "total_size", key: `"row_id"`,
		},
		"words": {files: map[string][]byte{"words.csv": lines("word", 300, func(i int) string { return fmt.Sprint("w", i) })}, query: "SELECT count(*), 0 FROM '%s/words.csv'", key: `"word"`},
		"wide": {
			files: map[string][]byte{"wide.csv": lines("id"+strings.Join(slices.Collect(func(yield func(string) bool) {
				for i := range 300 {
					yield(fmt.Sprint(",m", i))
				}
			}), ""), 120, func(i int) string { return fmt.Sprint(i) + strings.Repeat(fmt.Sprint(",", i%5), 300) })},
			query: "SELECT count(*), sum(m0) FROM '%s/wide.csv'", total: "total_m0", key: `"id"`,
		},
		"unicode": {
			files: map[string][]byte{"unicode.csv": names}, query: `SELECT count(*), sum("说明") FROM '%s/unicode.csv'`, total: "total_column_4", key: `"column_1"`,
		},
		"utf16": {
			files: map[string][]byte{"utf16.csv": littleEndian(names), "utf16.txt": names}, query: `SELECT count(*), sum("说明") FROM read_csv('%s/utf16.txt')`, total: "total_column_4", key: `"column_1"`,
		},
		"reserved": { // names that SQL or the pipeline have uses for, and that differ by case alone
			files: map[string][]byte{"reserved.csv": lines("order,at,select,limit,format,since,by,rows,name,rank,_shard,row_id,ID,id,period", 200, func(i int) string {
				return fmt.Sprintf("%d,2026-01-01T00:00:%02dZ,%s,%d,%s,x,%s,%d,n,1,0,r,I%d,i%d,p", i, i%60, pick(i, "a", "b"), i%3, pick(i, "f", "g"), pick(i, "u", "v", "w"), i%9, i, i)
			})},
			query: `SELECT count(*), sum("rows") FROM read_csv('%s/reserved.csv')`, total: "total_rows", key: `"id_2"`, time: "at",
		},
		"mixed": { // several types, integers that no column holds, epochs
			files: map[string][]byte{"mixed.ndjson": lines("", 1100, func(i int) string {
				return fmt.Sprintf(`{"key":"k%d","value":%s,"big":%d0000000000000000000,"created_at":%d,"n":%d}`, i, pick(i, "1", `"a"`, "[1]", "true"), 1+i, 1767225600000+i, i)
			})},
			query: "SELECT count(*), sum(n) FROM read_ndjson('%s/mixed.ndjson', columns = {n: 'BIGINT'})", total: "total_n", key: `"key"`,
		},
		"parts": { // several files
			files: map[string][]byte{
				"parts-1.csv": lines("id,n", 150, func(i int) string { return fmt.Sprintf("%d,%d", i, i%3) }),
				"parts-2.csv": lines("id;n", 150, func(i int) string { return fmt.Sprintf("%d;%d", 150+i, i%4) }),
			},
			query: "SELECT count(*), sum(n) FROM read_csv(['%[1]s/parts-1.csv', '%[1]s/parts-2.csv'])", total: "total_n", key: `"id"`,
		},
		"ragged": { // rows that are none
			files: map[string][]byte{"ragged.csv": lines("id,n", 250, func(i int) string {
				return fmt.Sprintf("%d,%d%s", i, i%3, strings.Repeat(",x", max(0, i-247)))
			})},
			query: "SELECT count(*), sum(n) FROM read_csv('%s/ragged.csv', ignore_errors = true)", total: "total_n", key: `"id"`, invalid: 2,
		},
		"excel": { // a byte order mark, a line that names the separator, returns, empty strings
			files: map[string][]byte{"excel.csv": []byte("\xef\xbb\xbfsep=;\r\n" + strings.ReplaceAll(string(lines("code;text;n", 130, func(i int) string { return fmt.Sprintf("%03d;%s;%d", i, pick(i, `""`, "", `"a;b"`), i) })), "\n", "\r\n"))},
			query: "SELECT count(*), sum(n) FROM read_csv('%s/excel.csv', skip = 1, delim = ';')", total: "total_n", key: `"code"`,
		},
	}
}

// TestE2EInit makes datasets of files of all kinds, without a line by hand: they are served at once, their
// endpoints' tests hold, every row is stored or reported, once, and counts and sums are DuckDB's own.
func TestE2EInit(t *testing.T) {
	t.Parallel()
	dir, all := t.TempDir(), unseenFiles()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, u := range all {
		for name, text := range u.files {
			writeFile(t, filepath.Join(dir, name), string(text))
		}
		for name, query := range u.copied {
			if _, err := db.ExecContext(t.Context(), "COPY ("+query+") TO '"+filepath.Join(dir, name)+"'"); err != nil {
				t.Fatal(err)
			}
		}
	}
	var work errgroup.Group
	work.SetLimit(3)
	for name, u := range all {
		work.Go(func() error {
			code, out, errs := estelaIn(t, dir, "", append(append([]string{"init"}, u.names()...), u.args...)...)
			if code != 0 {
				return fmt.Errorf("init %s: exit %d\n%s%s", name, code, out, errs)
			}
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		t.Fatal(err)
	}
	for name, u := range all {
		u.checkContract(t, filepath.Join(dir, name))
	}
	s := &system{dir: dir, api: freeAddr(t), ops: freeAddr(t)}
	s.process = startIn(t, dir, "up", "--listen", s.api, "--ops-listen", s.ops)
	s.awaitReady()
	for name, u := range all {
		work.Go(func() error {
			u.publish(t, dir, name)
			if len(u.names()) > 1 || u.key == `"row_id"` { // where it is not plain that nothing is stored twice
				u.publish(t, dir, name)
			}
			return nil
		})
	}
	_ = work.Wait() // they report to t
	for name, u := range all {
		u.checkAnswers(s, db, name)
	}
	if code, out, errs := estelaIn(t, dir, "", "endpoint", "test"); code != 0 || strings.Count(out, "ok ") < 3*len(all) {
		t.Errorf("endpoint test: exit %d\n%s%s", code, out, errs)
	}
	if code, out, errs := estelaIn(t, filepath.Join(dir, "words"), "", "endpoint", "list"); code != 0 || strings.Count(out, "/v1/words/") != 3 || strings.Count(out, "\n") != 3 {
		t.Errorf("in the dataset's own folder: exit %d\n%s%s", code, out, errs)
	}
	if code, out, errs := estelaIn(t, dir, "", "endpoint", "check"); code != 0 {
		t.Errorf("endpoint check: exit %d\n%s%s", code, out, errs)
	}
}

// names are the files that are given to commands: not those that only DuckDB reads.
func (u unseen) names() []string {
	all := append(slices.Sorted(maps.Keys(u.files)), slices.Sorted(maps.Keys(u.copied))...)
	return slices.DeleteFunc(all, func(name string) bool { return strings.HasSuffix(name, ".txt") })
}

func (u unseen) checkContract(t *testing.T, folder string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "contract.json"))
	if err != nil {
		t.Fatal(err)
	}
	var c struct {
		Estela struct {
			Key  json.RawMessage
			Time string
		} `json:"x-estela"`
	}
	if err := json.Unmarshal(text, &c); err != nil || string(c.Estela.Key) != u.key || c.Estela.Time != u.time {
		t.Errorf("%s: key %s and time %q, want %s and %q: %v", folder, c.Estela.Key, c.Estela.Time, u.key, u.time, err)
	}
}

// publish sends the files. What up has published of the sample is a duplicate.
func (u unseen) publish(t *testing.T, dir, name string) {
	t.Helper()
	for _, file := range u.names() {
		code, out, errs := estelaIn(t, dir, "", append([]string{"publish", name, file, "--wait-stored"}, u.args...)...)
		if want := min(u.invalid, 1); code != want || u.invalid > 0 && !strings.Contains(errs, fmt.Sprintf("%d of 250 rows are invalid", u.invalid)) {
			t.Errorf("publish %s: exit %d\n%s%s", name, code, out, errs)
		}
	}
}

// checkAnswers compares counts and sums with DuckDB's over the file.
func (u unseen) checkAnswers(s *system, db *sql.DB, name string) {
	s.t.Helper()
	var wantRows, wantTotal float64
	if err := db.QueryRowContext(s.t.Context(), strings.NewReplacer("%s", s.dir, "%[1]s", s.dir).Replace(u.query)).Scan(&wantRows, &wantTotal); err != nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	var gotRows, gotTotal float64
	for _, group := range s.read("/v1/" + name + "/summary") {
		gotRows += group["rows"].(float64)
		if u.total != "" && group[u.total] != nil {
			gotTotal += group[u.total].(float64)
		}
	}
	if gotRows != wantRows || math.Abs(gotTotal-wantTotal) > 1e-6*math.Abs(wantTotal) {
		s.t.Errorf("%s: %v rows and a sum of %v, DuckDB has %v and %v", name, gotRows, gotTotal, wantRows, wantTotal)
	}
	first := "rows"
	if u.time != "" {
		first = "latest"
	}
	if body, err := get("http://" + s.api + "/v1/" + name + "/" + first + "?limit=3"); err != nil || !strings.Contains(body, `"rows":3`) {
		s.t.Errorf("%s: the first answer is %s: %v", name, body, err)
	}
}
