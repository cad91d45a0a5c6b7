package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/redistest"
)

// inside is a dataset "things" and a data directory, for commands that need no Redis.
func inside(t *testing.T, contract string) (dir string, beside []string) {
	t.Helper()
	dir = t.TempDir()
	writeFile(t, filepath.Join(dir, "things", "contract.json"), contract)
	return dir, []string{"--data", filepath.Join(dir, "things"), "--data-dir", filepath.Join(dir, "run")}
}

// TestErrorsHoldTheRow: what --errors writes can be corrected there and read again, whatever was
// wrong with the row.
func TestErrorsHoldTheRow(t *testing.T) {
	t.Parallel()
	const at = "2026-01-01T00:00:00Z"
	for name, c := range map[string]struct{ rows, want, event, mapping string }{
		"a decimal comma": {
			"id;at;n\na;" + at + ";0,5\n", `"event":{"id":"a","at":"` + at + `","n":"0,5"}}`, "", "",
		},
		"a decimal comma after a mapping": {
			"id;at;n\na;" + at + ";0,5\n", `"event":{"id":"a","at":"` + at + `","n":"0,5"}}`, "", "SELECT * FROM source",
		},
		"a line of no fields after a mapping": {
			"id,at,n\na\n", `"raw":"a"}`, `"event":{"id":"a","at":"` + at + `","n":1}}`, "SELECT * FROM source",
		},
		"a quote that is not closed": {
			"id,at,n\na," + at + ",\"1\n", `"raw":"a,` + at + `,\"1"}`, `"event":{"id":"a","at":"` + at + `","n":1}}`, "",
		},
		"a field too many": {
			"id,at,n\na," + at + ",1,2\r\n", `"raw":"a,` + at + `,1,2"}`, `"event":{"id":"a","at":"` + at + `","n":1}}`, "",
		},
		"one that is JSON by chance": {"id,at,n\n1\n", `"raw":"1"}`, `"event":{"id":"a","at":"` + at + `","n":1}}`, ""},
		"bytes that are no text": {
			"id,at,n\n\xe9," + at + ",1\n", `"raw_base64":"6SwyMDI2LTAxLTAxVDAwOjAwOjAwWiwx"}`, `"event":{"id":"a","at":"` + at + `","n":1}}`, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, beside := inside(t, thing)
			bad := filepath.Join(dir, "bad.ndjson")
			mapping := "none"
			if c.mapping != "" {
				mapping = writeFile(t, filepath.Join(dir, "m.sql"), c.mapping)
			}
			code, _, errs := command(t, c.rows, append([]string{"backfill", "things", "--errors", bad, "--mapping", mapping}, beside...)...)
			text, err := os.ReadFile(bad)
			if code != 1 || err != nil || !strings.Contains(string(text), c.want) || strings.Contains(errs, `"raw"`) != (c.event != "") {
				t.Fatalf("exit %d, %s, %v\n%s", code, text, err, errs)
			}
			_, _, errs = command(t, "", append([]string{"backfill", "things", bad}, beside...)...)
			if !strings.Contains(errs, "the file looks like one that --errors wrote: use --from-errors to read the event of each line\n") {
				t.Errorf("as a file of events:\n%s", errs)
			}
			again := append([]string{"backfill", "things", "--from-errors", bad}, beside...)
			if code, _, errs = command(t, "", again...); code != 1 || c.event != "" && !strings.Contains(errs, `row 1: has no member "event": write one`) {
				t.Errorf("as it was: exit %d\n%s", code, errs)
			}
			corrected := strings.Replace(string(text), `"0,5"`, "5", 1)
			if c.event != "" {
				corrected = strings.Replace(corrected, c.want, c.event, 1)
			}
			writeFile(t, bad, corrected)
			if code, out, errs := command(t, "", again...); code != 0 || out != "1 stored, 0 duplicates dropped\n" {
				t.Errorf("corrected: exit %d\n%s%s", code, out, errs)
			}
		})
	}
}

// TestErrorsElsewhere: the file that is read is not written, by whatever way it is read.
func TestErrorsElsewhere(t *testing.T) {
	t.Parallel()
	dir, beside := inside(t, thing)
	file := writeFile(t, filepath.Join(dir, "rows.csv"), "id,at\n")
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = in.Close() }()
	for _, name := range []string{file, "-"} {
		var out, errs strings.Builder
		code := run(t.Context(), append([]string{"backfill", "things", name, "--errors", file}, beside...), in, &out, &errs)
		if code != 2 || !strings.Contains(errs.String(), "it is the file to read: give another") {
			t.Errorf("%s: exit %d\n%s", name, code, &errs)
		}
	}
}

// TestPublishSaysWhatToDo: what publish advises is what helps.
func TestPublishSaysWhatToDo(t *testing.T) {
	t.Parallel()
	_, beside := inside(t, thing)
	beside = append(beside, "--redis", redistest.Start(t).URL())
	const good = `{"id":"a","at":"2026-01-01T00:00:00Z"}`
	for name, c := range map[string]struct {
		in, says, not string
		args          []string
	}{
		"a file that is cut off": {
			in:   "[" + good + "," + strings.Replace(good, "a", "b", 1) + ",\n",
			says: "the file is cut off; 2 events are in Redis: correct that, and run the command again with --skip 2 to resume",
		},
		"nothing to wait for": {in: "{}\n", args: []string{"--wait-stored"}, says: "1 of 1 rows are invalid as events", not: "has all of it"},
	} {
		code, _, errs := command(t, c.in, append(append([]string{"publish", "things"}, c.args...), beside...)...)
		if code != 1 || !strings.Contains(errs, c.says) || c.not != "" && strings.Contains(errs, c.not) {
			t.Errorf("%s: exit %d, want %q\n%s", name, code, c.says, errs)
		}
	}
}

// TestBackfillSaysHowFarItCame: also when it ends early, it is known what is stored.
func TestBackfillSaysHowFarItCame(t *testing.T) {
	t.Parallel()
	const good = `{"id":"a","at":"2026-01-01T00:00:00Z"}`
	dir, beside := inside(t, thing)
	code, _, errs := command(t, "["+good+"\n,{}", append([]string{"backfill", "things"}, beside...)...)
	if code != 1 || !strings.Contains(errs, "cut off; 1 rows are stored and 0 duplicates dropped: correct that, and run the command again to store the rest, and nothing twice") {
		t.Errorf("cut off: exit %d\n%s", code, errs)
	}
	code, _, errs = command(t, "", append([]string{"backfill", "things", filepath.Join(dir, "none")}, beside...)...)
	if code != 2 || !strings.Contains(errs, "none: no such file or directory; nothing was stored") {
		t.Errorf("no file: exit %d\n%s", code, errs)
	}
	ctx, cancel := context.WithCancel(t.Context())
	in := io.MultiReader(strings.NewReader(good+"\n"+strings.Replace(good, "a", "b", 1)+"\n"), stalled(func() {
		time.Sleep(300 * time.Millisecond) // what came before is read by then
		cancel()
		<-t.Context().Done()
	}))
	var out, said bytes.Buffer
	code = run(ctx, append([]string{"backfill", "things"}, beside...), in, &out, &said)
	if code != 1 || !strings.Contains(said.String(), "estela: interrupted; 1 rows are stored and 1 duplicates dropped: run the command again to store the rest, and nothing twice\n") {
		t.Errorf("interrupted: exit %d\n%s", code, &said)
	}
}

// stalled is an input in which nothing comes.
type stalled func()

func (s stalled) Read([]byte) (int, error) { s(); return 0, io.EOF }

// TestSampleInItsFolder: what is wrong with a sample is said of the file in the dataset's folder,
// and without flags, for the commands that read it have none.
func TestSampleInItsFolder(t *testing.T) {
	t.Parallel()
	dir, beside := inside(t, thing)
	writeFile(t, filepath.Join(dir, "things", "sample.csv"), "id,at,ca\xf1o\n")
	writeFile(t, filepath.Join(dir, "things", "endpoints", "all.sql"), "-- All.\nSELECT id FROM things LIMIT 1")
	code, _, errs := command(t, "", append([]string{"endpoint", "run", "all", "--sample"}, beside...)...)
	if code == 0 || !strings.Contains(errs, "things/sample.csv: line 1: column 3 of the header: holds bytes that are not UTF-8: save the file as UTF-8\n") || strings.Contains(errs, "estela-sample-") {
		t.Errorf("exit %d\n%s", code, errs)
	}
}

// TestMappingWithAWordOfSQL: a name that is a word of SQL is distinguished from other errors of syntax.
func TestMappingWithAWordOfSQL(t *testing.T) {
	t.Parallel()
	dir, beside := inside(t, thing)
	const rows = "id,at\na,2026-01-01T00:00:00Z\n"
	for sql, want := range map[string]string{
		"SELECT id,\n  at AS at FROM source": `m.sql:2:3: at is a word of SQL itself; where it is a name, write "at" with quotes, everywhere in the SQL`,
		"SELECT id, FROM, 1 FROM source":     `m.sql:1:16: syntax error at or near ","; correct the SQL`,
		"SELECT idd FROM source":             `m.sql, line 1: Referenced column "idd" not found`,
	} {
		file := writeFile(t, filepath.Join(dir, "m.sql"), sql)
		if code, _, errs := command(t, rows, append([]string{"backfill", "things", "--mapping", file}, beside...)...); code == 0 || !strings.Contains(errs, want) {
			t.Errorf("%s: exit %d\n%s", sql, code, errs)
		}
	}
}
