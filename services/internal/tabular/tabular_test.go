package tabular_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/estela-dev/estela/services/internal/tabular"
)

// rows gives each row as "line value" or "line !problem", the fields of a record
// between bars and those that are absent as a dash.
func rows(t testing.TB, from io.Reader, o tabular.Options) ([]string, error) {
	t.Helper()
	in, err := tabular.Open(from, o)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	var got []string
	note := func(line int64, value string, problem error) error {
		if problem != nil {
			value = "!" + problem.Error()
		}
		got = append(got, fmt.Sprintf("%d %s", line, value))
		return nil
	}
	if !in.Format.IsTable() {
		return got, in.Documents(t.Context(), func(line int64, doc []byte, problem error) error {
			return note(line, string(doc), problem)
		})
	}
	table, err := in.Table()
	if err != nil {
		return nil, err
	}
	got = append(got, strings.Join(table.Header, "|"))
	return got, table.Each(t.Context(), func(line int64, record []tabular.Field, problem error) error {
		var fields []string
		for _, f := range record {
			if f.Absent() {
				fields = append(fields, "-")
			} else {
				fields = append(fields, string(f.Text))
			}
		}
		return note(line, strings.Join(fields, "|"), problem)
	})
}

func expect(t *testing.T, content string, o tabular.Options, want ...string) {
	t.Helper()
	for name, from := range map[string]io.Reader{
		"whole": strings.NewReader(content), "byte by byte": iotest.OneByteReader(strings.NewReader(content)),
		"with the end": iotest.DataErrReader(strings.NewReader(content)),
	} {
		if got, err := rows(t, from, o); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s, %s\n got %q, %v\nwant %q", content, name, got, err, want)
		}
	}
}

func TestTables(t *testing.T) {
	t.Parallel()
	o := tabular.Options{Format: tabular.CSV}
	expect(t, "a,b\n1,2\n", o, "a|b", "2 1|2")
	expect(t, "\r\n\na,b\r\n\r\n1,\r\n,\"\"\r\n\"\",", o, "a|b", "5 1|-", "6 -|", "7 |-")
	expect(t, "a,b\r1,\"x\ry\"\r\r2,3", o, "a|b", "2 1|x\ry", "5 2|3")
	expect(t, "a,b\n1,x\ry\n2,\"x\r\ny\n\"\n3,z\r", o, "a|b", "2 1|x\ry", "3 2|x\r\ny\n", "6 3|z")
	expect(t, "\"a;,\";b;c\n1;2,5;\"say \"\"hi\"\"\"\n", o, "a;,|b|c", "2 1|2,5|say \"hi\"")
	expect(t, "sep=^\r\na^b\r\n1^2,5", o, "a|b", "3 1|2,5")
	expect(t, "sep=^\r\na^b\r\n1^2,5", tabular.Options{}, "a|b", "3 1|2,5")
	expect(t, "a|b\n1|2", o, "a|b", "2 1|2")
	expect(t, "a\tb,c,d\n1\t2", tabular.Options{Name: "x.TSV.gz"}, "a|b,c,d", "2 1|2")
	expect(t, " a , b\n 1 , \n", o, " a | b", "2  1 | ")
	expect(t, "a,b\n1\n1,2,3\nx\"y,2\n\"x\"y,2\n3,4\n", o, "a|b",
		"2 !has 1 fields, the header has 2", "3 !has 3 fields, the header has 2: a field with a comma in it must be in quotes",
		"4 !has a quote inside field 1: put the field in quotes and write the quote twice",
		"5 !has text after the quotes of field 1: write a quote inside of quotes twice", "6 3|4")
	expect(t, "a,b\n1,\"x\n2,y\n3,z\n", o, "a|b", "2 !has a quote before field 2 that is never closed", "3 2|y", "4 3|z")
	expect(t, "a\n\"x\"\"\n", o, "a", "2 !has a quote before field 1 that is never closed")
}

func TestDocuments(t *testing.T) {
	t.Parallel()
	var o tabular.Options
	expect(t, "{\"a\":1}\n\n {\"b\":\"\\\"}\"}\r\n{", o, `1 {"a":1}`, `3 {"b":"\"}"}`, `4 {`)
	expect(t, "{\"a\":1,\n{\"b\":2}\n", o, `1 {"a":1,`, `2 {"b":2}`)
	expect(t, "{\"a\":1} {\"b\":2}\n\n[{\"c\":3}]{\"d\":4}", o, `1 {"a":1}`, `1 {"b":2}`, `3 {"c":3}`, `3 {"d":4}`)
	expect(t, "{\n\"a\": \"x\\\"{\",\r\n\"b\":[\n1]}\n{\"c\":2}", o, `1 { "a": "x\"{",  "b":[ 1]}`, `5 {"c":2}`)
	expect(t, " [ {\"a\":1} ,\n\n{\"b\":}, 5,\"x,]\",null , [1]]\n", o, `1 {"a":1}`, `3 {"b":}`, `3 5`, `3 "x,]"`, `3 null`, `3 [1]`)
	expect(t, "{\"a\":1}\r{\"b\":2}\r\r{\"c\":3}", o, `1 {"a":1}`, `2 {"b":2}`, `4 {"c":3}`)
	expect(t, "oops\n{\"b\":2}\n", o, "1 oops", `2 {"b":2}`)
	expect(t, "\xef\xbb\xbf{\"a\":\"\xff\"}", o, "1 !holds bytes that are not UTF-8: say which encoding the file is in, such as --encoding windows-1252")
	expect(t, "", o)
}

// A name that the content contradicts is not believed.
func TestWrongNames(t *testing.T) {
	t.Parallel()
	expect(t, "id,at\na,b\n", tabular.Options{Name: "rows.ndjson"}, "id|at", "2 a|b")
	expect(t, "id;at\na;b\n", tabular.Options{Name: "rows.json"}, "id|at", "2 a|b")
	expect(t, "oops\n{}\n", tabular.Options{Name: "rows.ndjson"}, "1 oops", "2 {}")
	expect(t, "id,at\n", tabular.Options{Name: "rows.ndjson", Format: tabular.NDJSON}, "1 id,at")
	for _, page := range []string{"<!DOCTYPE html><html>\n<p>Not found, sorry\n", "<html><body>"} {
		if _, err := rows(t, strings.NewReader(page), tabular.Options{Name: "rows.csv"}); err == nil || !strings.Contains(err.Error(), "it is a web page") {
			t.Errorf("%s: %v", page, err)
		}
	}
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	big := func(text string) string {
		return strings.ReplaceAll("\x00"+strings.Join(strings.Split(text, ""), "\x00"), "\x00\ufffd", "\xd8\x3d")
	}
	expect(t, "\xfe\xff"+big("a,b\n1,2\n"), tabular.Options{}, "a|b", "2 1|2")
	expect(t, "\xfe\xff"+big("a,b\n1,")+"\xd8\x3d\xde\x00\x00\n", tabular.Options{}, "a|b", "2 1|😀")
	expect(t, "\xfe\xff"+big("a,b\n1,")+"\xd8\x3d\x00\n\x00x\x00,\x00y", tabular.Options{Encoding: "latin1"}, "a|b",
		"2 !column b: holds bytes that are no character in UTF-16, or U+FFFD", "3 x|y")
	expect(t, big("a,b\n1,2\n"), tabular.Options{Encoding: "UTF-16BE"}, "a|b", "2 1|2")
	expect(t, "\xff\xfe\x00\x00a\x00\x00\x00\n\x00\x00\x001\x00\x00\x00", tabular.Options{}, "a", "2 1")
	expect(t, "a,b\n\x80,\xe4\n", tabular.Options{Encoding: "iso-8859-1"}, "a|b", "2 €|ä")
	expect(t, "a,b\n\x83\x65,\xff\n", tabular.Options{Encoding: "shift_jis"}, "a|b", "2 !column b: holds bytes that are no character in shift_jis, or U+FFFD")
	expect(t, "a\n\x82\n", tabular.Options{Encoding: "cp437"}, "a", "2 é")
}

// TestWaitsForNothing: rows that have come are given though more may follow.
func TestWaitsForNothing(t *testing.T) {
	t.Parallel()
	for _, lines := range [][]string{{"{\"a\":1}\n", "{\"a\":2}\n"}, {"a,b\n1,2\n", "3,4\n"}, {"[{\"a\":1},", "{\"a\":2},"}} {
		from, to := io.Pipe()
		seen := make(chan struct{})
		go func() {
			for _, line := range lines {
				_, _ = io.WriteString(to, line)
				<-seen
			}
			_ = to.Close()
		}()
		in, err := tabular.Open(from, tabular.Options{})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		see := func() error { n++; seen <- struct{}{}; return nil }
		if in.Format.IsTable() {
			table, err := in.Table()
			if err != nil {
				t.Fatal(err)
			}
			err = table.Each(t.Context(), func(int64, []tabular.Field, error) error { return see() })
			if err != nil {
				t.Error(err)
			}
		} else if err := in.Documents(t.Context(), func(int64, []byte, error) error { return see() }); err != nil && in.Format != tabular.JSON {
			t.Error(err)
		}
		if n != 2 {
			t.Errorf("%q: %d rows", lines, n)
		}
	}
}

func TestLongRows(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", tabular.MaxRecord+10)
	got, err := rows(t, strings.NewReader("a,b\n\""+long+"\n1,2\n3,"+long+"\n4,5"), tabular.Options{Format: tabular.CSV})
	if err != nil || len(got) != 5 || got[2] != "3 1|2" || got[4] != "5 4|5" || !strings.Contains(got[1]+got[3], "longer than") {
		t.Errorf("%d rows, %v", len(got), err)
	}
	_, err = rows(t, strings.NewReader("[{\"a\":\""+long+"\"}]"), tabular.Options{})
	if err == nil || !strings.Contains(err.Error(), "line 1: the value that begins here is longer") {
		t.Error(err)
	}
}

// FuzzCSV: what encoding/csv writes is read as it was, a carriage return before a
// newline too, which that package's own reader does not keep.
func FuzzCSV(f *testing.F) {
	f.Add("a", "", "\"", "x\r\ny", false)
	f.Add(",;", "\r", " ", "\n\n", true)
	f.Fuzz(func(t *testing.T, a, b, c, d string, crlf bool) {
		var file bytes.Buffer
		w := csv.NewWriter(&file)
		_ = w.WriteAll([][]string{{"one", "two"}, {a, b}, {c, d}})
		content := file.String()
		if crlf && !strings.ContainsAny(a+b+c+d, "\r\n") {
			content = strings.ReplaceAll(content, "\n", "\r\n")
		}
		got, err := rows(t, strings.NewReader(content), tabular.Options{Format: tabular.CSV})
		want := []string{"one|two"}
		line := 2
		for _, r := range [][]string{{a, b}, {c, d}} {
			if !utf8.ValidString(r[0] + "," + r[1]) {
				return // no text, which other tests are about
			}
			text := "-"[min(1, len(r[0])):] + r[0] + "|" + "-"[min(1, len(r[1])):] + r[1]
			want = append(want, fmt.Sprintf("%d %s", line, text))
			line += 1 + strings.Count(r[0]+r[1], "\n")
		}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q\n got %q, %v\nwant %q", content, got, err, want)
		}
	})
}

// FuzzOpen: any bytes are rows or an error, the same however they come, and a line
// of NDJSON that is JSON is given as it is.
func FuzzOpen(f *testing.F) {
	for _, seed := range []string{
		"a,b\n1,2\n", "{\"a\":1}\n{\"b\":2}\n", "[{\"a\":1},{}]", "{\n}\n", "\xff\xfea\x00", "PAR1\x15\x04\x15\x10\x15", "\x1f\x8b\x08\x00", "\x28\xb5\x2f\xfd\x00",
		"a\r1\r", "\"", "[", "{", "\xef\xbb", "\xff\xfe\x00", "a\n\"\"\"", "\x00\x00\xfe\xff",
	} {
		f.Add([]byte(seed), "x.csv", uint8(0), "")
		f.Add([]byte(seed), "", uint8(0), "utf-16le")
	}
	formats := []tabular.Format{tabular.Auto, tabular.CSV, tabular.TSV, tabular.NDJSON, tabular.JSON}
	f.Fuzz(func(t *testing.T, content []byte, name string, format uint8, encoding string) {
		o := tabular.Options{Name: name, Format: formats[int(format)%len(formats)], Encoding: encoding}
		whole, err := rows(t, bytes.NewReader(content), o)
		pieces, again := rows(t, iotest.OneByteReader(bytes.NewReader(content)), o)
		if !slices.Equal(whole, pieces) || (err == nil) != (again == nil) || err != nil && !errors.Is(err, again) && err.Error() != again.Error() {
			t.Errorf("%q %+v\n got %q, %v\n and %q, %v", content, o, whole, err, pieces, again)
		}
		if o.Format != tabular.NDJSON || encoding != "" || !json.Valid(content) || len(content) == 0 || content[0] != '{' || bytes.ContainsAny(content, "\r\n") {
			return
		}
		if err != nil || len(whole) != 1 || whole[0] != "1 "+string(bytes.TrimSpace(content)) && bytes.ContainsRune(content, '\uFFFD') == false {
			t.Errorf("%q: %q, %v", content, whole, err)
		}
	})
}
