package scaffold_test

import (
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/importer"
	"github.com/estela-dev/estela/services/internal/scaffold"
	"github.com/estela-dev/estela/services/internal/tabular"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// read makes a survey of a file of that content.
func read(t *testing.T, name, content string) (*scaffold.Survey, string, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := scaffold.Read(t.Context(), scaffold.Config{Name: "things", Files: []scaffold.File{{Path: path, Name: path}}})
	return s, path, err
}

// check holds a survey against its file: the contract is one, and every row is an event by it, with a
// key of its own once it is stored, or was counted as none.
func check(t *testing.T, s *scaffold.Survey, path string) {
	t.Helper()
	c, err := contract.Parse("things", "things/contract.json", s.Contract())
	if err != nil {
		t.Fatalf("%v\n%s", err, s.Contract())
	}
	f, err := importer.Open(t.Context(), importer.Config{Path: path, Mapping: s.Mapping(), Shape: c.Shape()})
	if err != nil {
		t.Fatal(err)
	}
	b, decoder, keys, invalid := c.NewBatch(0, 1), c.NewDecoder(), map[string]bool{}, int64(0)
	err = f.Each(t.Context(), func(d importer.Document) error {
		b.Reset()
		if d.Problem != nil || !decoder.Decode(b, d.JSON, event.ID{}, 0) {
			invalid++
			return nil //nolint:nilerr // it is reported
		}
		if key := b.KeyString(0); keys[key] {
			t.Errorf("%s: two rows have the key %s once they are stored\n%s", d.JSON, key, s.Contract())
		} else {
			keys[key] = true
		}
		return nil
	})
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatalf("%v\n%s", err, s.Mapping())
	}
	if invalid != s.Invalid || int64(len(keys)) > s.Rows {
		t.Errorf("%d rows are invalid, of which %d were reported (%s)\n%s\n%s", invalid, s.Invalid, s.Problem, s.Contract(), s.Mapping())
	}
}

// checkFolder holds what is written: endpoints whose headers are right.
func checkFolder(t *testing.T, s *scaffold.Survey) {
	t.Helper()
	dir := t.TempDir()
	f, err := s.Write(t.Context(), dir, dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range f.Endpoints {
		if _, err := endpoint.Parse("things/endpoints/"+e.Name+".sql", e.SQL); err != nil {
			t.Errorf("%v\n%s", err, e.SQL)
		}
	}
}

// FuzzFile makes datasets of files of any content.
func FuzzFile(f *testing.F) {
	for _, text := range []string{
		"a,b\n1,x\n2,y\n", "a;b\n1,5;01/31/2026\n2,5;02/01/2026\n", "id\n007\n", "a,A\n1,2\n1,2\n", "d\n31/12/2026 23:59\n", "d\n2026-01-01 00:00\n2026-01-01 00:00\n",
		"a\nTrue\nNA\n", "a,b\n\"{\"\"x\"\":1}\",[1]\n", "a\n1,234.5\n", "a\tb\n-0\t1e5\n", "x\n2026-01-01 00:00:00+01\n", "\"a\nb\",c\n1,2\n", "2026,%\n1,2\n", "at,order\n2026-12-31T23:59:60Z,\n",
		"0\n00/00/0000 000ց000", "0,1\n,0\n,\x00", "format,by,cursor_a\nx,y,z\nx,y,z\n",
	} {
		f.Add(true, text)
	}
	for _, text := range []string{
		`{"a":1}` + "\n" + `{"a":"x"}`, `[{"a":[1]},{"a":{}}]`, `{"a":99999999999999999999,"A":null}`, `{"a b":"2026-01-01T00:00:00"}` + "\n" + `{"c":1.5}`,
		`{"a":1}` + "\n" + `{"a":1.0}` + "\n" + `{"a":1}`, `{"":1}`, `{"_row":1,"x":true}`, `{"a":"True"}`, `{"a":-0}`, `{}`,
	} {
		f.Add(false, text)
	}
	f.Fuzz(func(t *testing.T, table bool, text string) {
		name := map[bool]string{true: "things.csv", false: "things.ndjson"}[table]
		s, path, err := read(t, name, text)
		if err != nil {
			if strings.Contains(err.Error(), "panic") {
				t.Error(err)
			}
			return
		}
		check(t, s, path)
		checkFolder(t, s)
	})
}

// TestFiles holds what becomes of a file.
func TestFiles(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, content, want string }{
		"an alias, a key, no mapping": {"a.csv", "Order Id,Qty\nA1,1\nA2,2\n", `"x-estela": {"key": "order_id", "dedupe": "30d"}`},
		"few rows require nothing":    {"a.csv", "Order Id,Qty\nA1,1\nA2,2\n", `"required": ["order_id"]`},
		"null may be sent":            {"a.ndjson", `{"id":"a","n":null}` + "\n" + `{"id":"b","n":1}`, `"type": ["integer", "null"]`},
		"a price that was whole":      {"a.csv", "id,price\na,1\nb,2\n", `"type": "number"`},
		"more than a float holds": {"a.ndjson", `{"id":"a","amount":9007199254740993}`, `"amount": {
      "type": "integer"`},
	} {
		s, path, err := read(t, c.file, c.content)
		if err != nil {
			t.Fatal(name, err)
		}
		check(t, s, path)
		if !strings.Contains(string(s.Contract()), c.want) {
			t.Errorf("%s: no %s in\n%s", name, c.want, s.Contract())
		}
	}
}

// TestStoredKeys: values that differ in the file and not in the table are no key.
func TestStoredKeys(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ file, content string }{
		{"finer.csv", "created_at,level\n2025-01-01T00:00:00.0000001Z,a\n2025-01-01T00:00:00.0000002Z,a\n"},
		{"zones.csv", "device,at\nx,2025-01-01T10:00:00Z\nx,2025-01-01T12:00:00+02:00\ny,2025-01-01T10:00:00Z\n"},
		{"case.csv", "uuid\nca357568-e293-4bf1-d37c-99611d775b7c\nCA357568-E293-4BF1-D37C-99611D775B7C\n"},
		{"slashes.csv", "device,day,v\nx,1/2/2025,5\nx,01/02/2025,5\ny,13/02/2025,5\n"},
		{"leap.ndjson", `{"device":"a","at":"2016-12-31T23:59:60Z"}` + "\n" + `{"device":"a","at":"2017-01-01T00:00:00Z"}`},
	} {
		s, path, err := read(t, c.file, c.content)
		if err != nil {
			t.Fatal(c.file, err)
		}
		check(t, s, path)
		if s.Invalid > 0 || !strings.Contains(string(s.Contract()), `"key": "row_id"`) {
			t.Errorf("%s: %d are invalid\n%s", c.file, s.Invalid, s.Contract())
		}
	}
}

// TestReportedRows: what becomes no event is counted with its line, and is not in the sample.
func TestReportedRows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content, problem string
		invalid          int64
		want             string
	}{
		"words for no value":       {"id,v\n1,NA\n2,NULL\n", "", 0, "only words for no value"},
		"no value at all":          {"id,v,w\n1,,2\n2,,3\n", "", 0, "no value in any row"},
		"no seconds":               {"at\n2025-01-01T10:10Z\n2025-01-01T10:11+02\n2025-01-01T10:12:13-05:30\n", "", 0, `"date-time"`},
		"a leap second of nowhere": {"id,at\n1,2016-12-31 23:59:60\n2,2017-01-01 00:00:00\n", "line 2: /at", 1, `"date-time"`},
		"a large row":              {"id,t\n1,a\n2," + strings.Repeat("z", contract.MaxEvent) + "\n", "line 3: (document)", 1, `"string"`},
		"versions":                 {"app,version\na,1.9\nb,1.10\nc,1.1\n", "", 0, "stays text by its name"},
		"codes":                    {"item,v\n1E5,a\n2E7,b\n99,c\n", "", 0, `"examples": ["1E5"`},
	} {
		s, path, err := read(t, "a.csv", c.content)
		if err != nil {
			t.Fatal(name, err)
		}
		check(t, s, path)
		checkFolder(t, s)
		if s.Invalid != c.invalid || !strings.Contains(s.Problem, c.problem) || !strings.Contains(string(s.Contract()), c.want) {
			t.Errorf("%s: %d are invalid (%s)\n%s", name, s.Invalid, s.Problem, s.Contract())
		}
	}
}

// TestWrite: the folder appears complete or not at all, and nothing is overwritten.
func TestWrite(t *testing.T) {
	t.Parallel()
	s, _, err := read(t, "a.csv", "id,day,kind\n1,2026-01-01,x\n2,2026-01-02,y\n")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, keep := range []bool{false, true, true} {
		f, err := s.Write(t.Context(), dir, dir)
		if err != nil {
			t.Fatal(err)
		}
		var kept error
		if keep {
			kept = f.Keep()
		}
		if err := f.Discard(); err != nil {
			t.Fatal(err)
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Log(keep, kept, entries)
		if got := fmt.Sprint(kept != nil, len(entries)); got != "false 0" && got != "false 1" && got != "true 1" {
			t.Errorf("keep %t: %s", keep, got)
		}
	}
	if _, err := s.Write(t.Context(), filepath.Join(dir, "none"), dir); err == nil {
		t.Error("no error of a directory that is not there")
	}
	for _, name := range []string{"contract.json", "sample.csv", "endpoints/latest.sql", "endpoints/row.sql", "endpoints/series.sql", "endpoints/summary.sql"} {
		if _, err := os.Stat(filepath.Join(dir, "things", name)); err != nil {
			t.Error(err)
		}
	}
}

// TestSampleIsOfAllRows: it is bounded, spread over the file, and the same each time.
func TestSampleIsOfAllRows(t *testing.T) {
	t.Parallel()
	var text strings.Builder
	text.WriteString("id,text\n")
	for i := range 30_000 {
		fmt.Fprintf(&text, "%d,\"a, \"\"b\"\"\n%s\"\n", i, strings.Repeat("x", i%300))
	}
	s, _, err := read(t, "a.csv", text.String())
	if err != nil {
		t.Fatal(err)
	}
	var first []byte
	for range 2 {
		dir := t.TempDir()
		f, err := s.Write(t.Context(), dir, dir)
		if err != nil {
			t.Fatal(err)
		}
		sample, err := os.ReadFile(filepath.Join(f.Dir, "sample.csv"))
		if err != nil || first != nil && string(first) != string(sample) {
			t.Error("the sample is another", err)
		}
		first = sample
	}
	if len(first) > 1<<20 || strings.Count(string(first), "\"\"b\"\"") != 1000 || !strings.Contains(string(first), "\n299") {
		t.Errorf("the sample has %d bytes", len(first))
	}
}

// TestKeywords: what is a word of DuckDB's SQL stands in quotes.
func TestKeywords(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("duckdb", "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var list string
	if err := db.QueryRowContext(t.Context(), "SELECT string_agg(keyword_name, ' ') FROM duckdb_keywords() WHERE keyword_category <> 'unreserved'").Scan(&list); err != nil {
		t.Fatal(err)
	}
	for words := range slices.Chunk(strings.Fields(list), 50) {
		s, _, err := read(t, "a.csv", strings.Join(words, ",")+"\n"+strings.Repeat("x,", len(words)-1)+"x\n")
		if err != nil {
			t.Fatal(err)
		}
		dir := t.TempDir()
		f, err := s.Write(t.Context(), dir, dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range words {
			if !strings.Contains(f.Endpoints[0].SQL, "\n    \""+word+"\"") {
				t.Errorf("%s is not in quotes", word)
			}
		}
	}
}

// TestFormatsDiffer: files of one dataset are of one format.
func TestFormatsDiffer(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var files []scaffold.File
	for name, content := range map[string]string{"a.csv": "a\n1\n", "b.ndjson": `{"a":1}`} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		files = append(files, scaffold.File{Path: path, Name: path})
	}
	if _, err := scaffold.Read(t.Context(), scaffold.Config{Name: "a", Files: files, Format: tabular.Auto}); err == nil || !strings.Contains(err.Error(), "the files of a dataset have one format") {
		t.Error(err)
	}
}
