package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// entries are the names in a directory.
func entries(t *testing.T, dir string) string {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(all)
}

// TestInitRefuses: what can't become a dataset gets one message, and the folder is as it was.
func TestInitRefuses(t *testing.T) {
	t.Parallel()
	wide := func(n int) string {
		names := make([]string, n)
		for i := range names {
			names[i] = fmt.Sprint("c", i)
		}
		return strings.Join(names, ",") + "\n" + strings.Repeat("1,", n-1) + "1\n"
	}
	here := t.TempDir()
	var random, keyed strings.Builder
	for i := range 20_000 {
		random.WriteByte(byte(i * i * 31 >> 3))
	}
	keyed.WriteString(`{"id":1`)
	for i := range 5000 {
		fmt.Fprintf(&keyed, `,"user%d":1`, i)
	}
	keyed.WriteString("}\n")
	for name, c := range map[string]struct {
		file, content string
		code          int
		says          string
		args          []string // a first one that is no flag is the file instead
	}{
		"an empty file":                      {"a.csv", "", 1, "it is empty: it should begin with a header", nil},
		"an empty file of another name":      {"a", "", 1, "there is no row in it", nil},
		"blank lines":                        {"a.ndjson", "\n\n", 1, "there is no row in it", nil},
		"a header only":                      {"a.csv", "id,n\n", 1, "there is no row in it", nil},
		"2000 columns":                       {"a.csv", wide(2000), 2, "has 2000 columns, and a dataset has at most 1000", nil},
		"names that are values":              {"a.ndjson", keyed.String(), 1, "if the names of its properties are values", nil},
		"names that differ by case":          {"a.csv", "id,n,N\n1,\"1,5\",2\n", 1, `has columns "n" and "N", which SQL does not tell apart, and it needs a mapping for the values of "n"`, nil},
		"a name that is given twice":         {"a.csv", "id,n,n\n1,2,3\n", 1, `the header names "n" twice`, nil},
		"random bytes":                       {"a.csv", random.String(), 1, "a.csv: ", nil},
		"an archive":                         {"a.csv", "PK\x03\x04\x14\x00\x00\x00\x08\x00aaaaaaaaaaaa", 1, "ZIP archive", nil},
		"a web page":                         {"a.csv", "<!DOCTYPE html><html></html>\n", 1, "a web page", nil},
		"rows of which none can be read":     {"a.csv", "a,b\n1\n2\n", 1, "no row of it can be read: ", nil},
		"values that are no objects":         {"a.json", "[1, 2]", 1, "no row of it can be read", nil},
		"documents without a property":       {"a.ndjson", "{}\n", 1, "its rows have no column", nil},
		"a code page":                        {"a.csv", "a\xf1o\n1\n", 1, "not UTF-8", nil},
		"an encoding that there is not":      {"a.csv", "a\n1\n", 2, "encoding", []string{"--encoding", "latin-99"}},
		"a name that is none":                {"a.csv", "a\n1\n", 2, `"A B" can't be the name of a dataset: lower case letters, digits and _, beginning with a letter, 59 at most, such as "a_b"`, []string{"--name", "A B"}},
		"standard input without a name":      {"a.csv", "a\n1\n", 2, "give --name NAME", []string{"-"}},
		"standard input twice":               {"a.csv", "a\n1\n", 2, "goes alone", []string{"-", "-", "--name", "x"}},
		"a file that is not there":           {"a.csv", "a\n1\n", 2, "no such file", []string{"none.csv", "--name", "x"}},
		"a directory":                        {"a.csv", "a\n1\n", 2, "is a directory", []string{here, "--name", "x"}},
		"what is there already":              {"a.csv", "a\n1\n", 2, "is there already, and nothing is overwritten", []string{"--name", "taken"}},
		"two directories":                    {"a.csv", "a\n1\n", 2, "give one --data", []string{"--data", here}},
		"a file that is another's neighbour": {"a.csv", "a\n1\n", 1, "no Parquet file", []string{"--format", "parquet"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			in, dir := t.TempDir(), t.TempDir()
			file := writeFile(t, filepath.Join(in, c.file), c.content)
			writeFile(t, filepath.Join(dir, "taken", "contract.json"), "mine")
			before := entries(t, dir)
			args := c.args
			if len(args) == 0 || strings.HasPrefix(args[0], "--") {
				args = append([]string{file}, args...)
			}
			code, out, errs := command(t, "a\n1\n", append([]string{"init", "--data", dir}, args...)...)
			if code != c.code || out != "" || !strings.Contains(errs, c.says) || strings.Count(errs, "\n") != 1 {
				t.Errorf("exit %d, want %d and %q\n%s%s", code, c.code, c.says, out, errs)
			}
			if after := entries(t, dir); after != before {
				t.Errorf("the directory has %s, and had %s", after, before)
			}
		})
	}
}

// TestInitWithoutPermission: neither a file that may not be read nor a directory that may not be written
// leaves anything behind.
func TestInitWithoutPermission(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := writeFile(t, filepath.Join(dir, "a.csv"), "a\n1\n")
	want := 2
	if os.Geteuid() == 0 { // who may read all
		want = 0
	}
	if err := os.Chmod(file, 0); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := command(t, "", "init", file, "--data", dir); code != want {
		t.Errorf("a file: exit %d\n%s", code, errs)
	}
	if err := os.Chmod(file, 0o600); err != nil {
		t.Fatal(err)
	}
	closed := filepath.Join(dir, "closed")
	if err := os.Mkdir(closed, 0o500); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := command(t, "", "init", file, "--data", closed, "--name", "b"); code != want {
		t.Errorf("a directory: exit %d\n%s", code, errs)
	}
}

// TestInitInADataset: a dataset is not made inside of one.
func TestInitInADataset(t *testing.T) {
	t.Parallel()
	dir, _ := inside(t, thing)
	file := writeFile(t, filepath.Join(dir, "a.csv"), "a\n1\n")
	if code, _, errs := command(t, "", "init", file, "--data", filepath.Join(dir, "things")); code != 2 || !strings.Contains(errs, "is a dataset itself") {
		t.Errorf("exit %d\n%s", code, errs)
	}
}

// TestInitDryRun prints what it would write, and a name of 200 characters is one that a column can have.
func TestInitDryRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	long := strings.Repeat("A long name, ", 16)
	code, out, errs := command(t, "id;\""+long+"\"\na;1,5\nb;2,5\n", "init", "-", "--name", "sheet", "--data", dir, "--dry-run")
	if code != 0 || entries(t, dir) != "[]" {
		t.Fatalf("exit %d, %s\n%s", code, entries(t, dir), errs)
	}
	for _, want := range []string{
		"==> " + filepath.Join(dir, "sheet", "contract.json") + " <==\n{", "/mapping.sql <==\n-- Makes events", "/endpoints/row.sql <==\n-- A row of sheet", "/sample.csv <==\n(",
		"a_long_name_a_long_name", "number?", "key   id, which differs in each row", "time  none",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// TestInitNames: a dataset is called as its files are.
func TestInitNames(t *testing.T) {
	t.Parallel()
	for files, want := range map[string]string{
		"x/Sales 2026.csv.gz": "sales_2026", "-": "", "sales-2025.csv sales-2026.csv": "sales", "a.csv b.csv": "", "2026.csv": "data_2026", "ventas_ñ.tsv": "ventas_n",
	} {
		if got := datasetName(strings.Fields(strings.ReplaceAll(files, "Sales ", "Sales_"))); got != want {
			t.Errorf("%s: %q, want %q", files, got, want)
		}
	}
}
