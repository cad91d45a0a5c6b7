package access_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/estela-dev/estela/services/internal/access"
)

func TestKeysAreRefused(t *testing.T) {
	t.Parallel()
	const sum = `"sha256":"0b3cc7190c357eab376f4af496fd62e28a3ef517c914e25cdc117f28526e7cf6"`
	for text, want := range map[string]string{
		``:                                "no JSON array",
		`{}`:                              "no JSON array",
		`[{"name":"a","datasets":["*"]}]`: "sha256 must be 64",
		`[{"name":"a","sha256":"abc","datasets":["*"]}]`:                                        "sha256 must be 64",
		`[{"name":"a",` + sum + `}]`:                                                            "datasets must name",
		`[{"name":"a b",` + sum + `,"datasets":["*"]}]`:                                         "name must be",
		`[{"name":"a",` + sum + `,"datasets":["*"],"x":1}]`:                                     "unknown field",
		`[{"name":"a",` + sum + `,"datasets":["*"],"rate":-1}]`:                                 "rate must",
		`[{"name":"a",` + sum + `,"datasets":["*"]},{"name":"a",` + sum + `,"datasets":["*"]}]`: "the name a is taken",
	} {
		if _, err := access.ParseKeys([]byte(text)); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "0b3cc") {
			t.Errorf("%s: %v", text, err)
		}
	}
	if _, err := access.LoadKeys(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// What a key opens is what it names: one for writing reads nothing, one for reading writes nothing.
func TestRightsOfKeys(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.json")
	ends := now.Add(time.Hour)
	secrets := map[string]string{}
	for name, k := range map[string]access.Key{
		"reads": {Datasets: []string{"a"}}, "writes": {Write: []string{"a"}}, "both": {Datasets: []string{"a", "b"}, Write: []string{"a"}},
		"all": {Datasets: []string{"*"}}, "writes-all": {Write: []string{"*"}}, "ends": {Datasets: []string{"a"}, Expires: &ends},
	} {
		secret, key := access.NewKey(name, k.Datasets, k.Write...)
		key.Expires, secrets[name] = k.Expires, secret
		if err := access.AppendKey(file, key); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := access.LoadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	a := &access.Authenticator{Keys: keys}
	for name, want := range map[string]string{
		"reads": "a", "writes": "+a", "both": "ab+a ab", "all": "abz* ab", "writes-all": "+abz", "ends": "a",
	} {
		g, err := a.Authenticate([]byte(secrets[name]), now)
		if err != nil || g.Subject != name || g.IsToken() || len(g.Pins().Values()) > 0 {
			t.Fatalf("%s: %v, %+v", name, err, g)
		}
		got, writes := "", ""
		for _, dataset := range []string{"a", "b", "z"} {
			if g.Reads(dataset) {
				got += dataset
			}
			if g.Writes(dataset) {
				writes += dataset
			}
			if g.Opens(dataset+"/x", []string{dataset}) != g.Reads(dataset) {
				t.Errorf("%s: reads %s, but does not open it", name, dataset)
			}
		}
		if g.ReadsAll() {
			got += "*"
		}
		if writes != "" {
			got += "+" + writes
		}
		if g.Opens("a/x", []string{"a", "b"}) {
			got += " ab"
		}
		if got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if _, err := a.Authenticate([]byte(secrets["ends"]), ends); err == nil {
		t.Error("an expired key is valid")
	}
	if (&access.Grant{}).Opens("a/x", nil) || (&access.Grant{}).Reads("a") || (&access.Grant{}).Writes("a") {
		t.Error("the zero grant opens something")
	}
}

// The right to inspect is a key's that reads all; nothing else has it, whatever it reads.
func TestRightToInspect(t *testing.T) {
	t.Parallel()
	const sum = `"sha256":"0000000000000000000000000000000000000000000000000000000000000000"`
	for rest, want := range map[string]string{
		`"datasets":["*"],"inspect":true`:              "",
		`"datasets":["a","*"],"inspect":true`:          "",
		`"datasets":["*"],"inspect":false`:             "",
		`"datasets":["a"],"inspect":true`:              `datasets must be ["*"]`,
		`"write":["*"],"inspect":true`:                 `datasets must be ["*"]`,
		`"datasets":["*"],"inspect":"yes"`:             "no JSON array",
		`"datasets":["*"],"inspect":true,"inspects":1`: "no JSON array",
	} {
		keys, err := access.ParseKeys([]byte(`[{"name":"a",` + sum + "," + rest + "}]"))
		if want == "" && (err != nil || keys[0].Inspect != strings.Contains(rest, "true")) || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", rest, err, want)
		}
	}
	file := filepath.Join(t.TempDir(), "keys.json")
	secret, key := access.NewKey("looks", []string{"*"})
	other, reads := access.NewKey("reads", []string{"*"}, "*")
	key.Inspect = true
	for _, k := range []access.Key{key, reads} {
		if err := access.AppendKey(file, k); err != nil {
			t.Fatal(err)
		}
	}
	if err := access.RevokeKey(file, "none"); err == nil {
		t.Error("a key that is not there is revoked")
	}
	keys, err := access.LoadKeys(file)
	if err != nil {
		t.Fatal(err)
	}
	a := &access.Authenticator{Keys: keys}
	for secret, want := range map[string]bool{secret: true, other: false} {
		if g, err := a.Authenticate([]byte(secret), now); err != nil || g.Inspects() != want {
			t.Errorf("%v %v", g, err)
		}
	}
	if access.Anyone.Inspects() || (&access.Grant{}).Inspects() {
		t.Error("anyone inspects")
	}
}

func TestRevokeKey(t *testing.T) {
	t.Parallel()
	entry := func(name string) string {
		_, key := access.NewKey(name, []string{"*"})
		text, err := json.Marshal(key)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	a, b, c := entry("a"), entry("b"), entry("c")
	dir := t.TempDir()
	file := filepath.Join(dir, "keys.json")
	for _, x := range []struct{ before, name, after, err string }{
		{"[" + a + "]", "a", "[]", ""},
		{"[\n  " + a + " ,\n  " + b + "\n]\n", "a", "[\n  " + b + "\n]\n", ""},
		{"[\n  " + a + ",\n  " + b + "\n]\n", "b", "[\n  " + a + "\n]\n", ""},
		{"[" + a + ", " + b + ", " + c + "]", "b", "[" + a + ", " + c + "]", ""},
		{"[" + a + "]", "A", "", "no key has that name"},
		{"[" + a, "a", "", "no JSON array"},
	} {
		if err := os.WriteFile(file, []byte(x.before), 0o640); err != nil {
			t.Fatal(err)
		}
		err := access.RevokeKey(file, x.name)
		text, _ := os.ReadFile(file)
		switch {
		case x.err != "" && (err == nil || !strings.Contains(err.Error(), x.err) || string(text) != x.before):
			t.Errorf("%s of %s: %v, %s", x.name, x.before, err, text)
		case x.err == "" && (err != nil || string(text) != x.after):
			t.Errorf("%s of %s: %v, %s", x.name, x.before, err, text)
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("%v: mode %v", err, info.Mode())
		}
	}
	if left, _ := os.ReadDir(dir); len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}
	if err := access.RevokeKey(filepath.Join(dir, "none"), "a"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
