package access_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/estela-dev/estela/services/internal/access"
)

func TestAppendKey(t *testing.T) {
	t.Parallel()
	_, old := access.NewKey("old", []string{"*"})
	entry := `{ "name": "old", "sha256": "` + old.SHA256 + `", "datasets": ["*"] }`
	for name, c := range map[string]struct{ before, err, begins string }{
		"nothing":            {"", "", "[\n  {\"name\":\"new\""},
		"no key":             {"[\n]\n", "", "[\n  {\"name\":\"new\""},
		"a key":              {"[ " + entry + " ]", "", "[ " + entry + ",\n  {\"name\":\"new\""},
		"the name":           {"[" + strings.Replace(entry, "old", "new", 1) + "]", "the name new is taken", ""},
		"no array":           {entry, "it is no JSON array of keys", ""},
		"an array and more":  {"[" + entry + "] []", "text after the JSON array", ""},
		"an array cut short": {"[" + entry, "it is no JSON array of keys", ""},
		"a member it is not": {`[{"owner": "x"}]`, `unknown field "owner"`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "keys.json")
			if err := os.WriteFile(file, []byte(c.before), 0o640); err != nil {
				t.Fatal(err)
			}
			_, key := access.NewKey("new", []string{"flights"})
			err := access.AppendKey(file, key)
			text, _ := os.ReadFile(file)
			switch {
			case c.err != "":
				if err == nil || !strings.Contains(err.Error(), c.err) || string(text) != c.before {
					t.Errorf("%v, want %s\n%s", err, c.err, text)
				}
			case err != nil || !strings.HasPrefix(string(text), c.begins):
				t.Errorf("%v\n%s", err, text)
			default:
				if _, err := access.ParseKeys(text); err != nil {
					t.Errorf("%v\n%s", err, text)
				}
			}
			if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o640 {
				t.Errorf("%v: mode %v", err, info.Mode())
			}
			if left, _ := os.ReadDir(dir); len(left) != 1 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

// TestAppendKeysAtOnce: none of many calls is lost, the file is its owner's alone, and a link to it
// stays one.
func TestAppendKeysAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, link := filepath.Join(dir, "keys.json"), filepath.Join(dir, "link.json")
	_, first := access.NewKey("first", []string{"*"})
	if err := access.AppendKey(file, first); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	var calls sync.WaitGroup
	for i := range 20 {
		calls.Go(func() {
			_, key := access.NewKey(fmt.Sprintf("k%d", i), []string{"*"})
			if err := access.AppendKey(link, key); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if keys, err := access.ParseKeys(text); err != nil || len(keys) != 21 {
		t.Errorf("%d keys: %v", len(keys), err)
	}
	if info, err := os.Lstat(file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v: mode %v", err, info.Mode())
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("%v: the link is a file now", err)
	}
}
