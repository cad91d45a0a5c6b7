package dataset_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/estela-dev/estela/data"
	"github.com/estela-dev/estela/services/internal/dataset"
)

// folder writes a dataset's contract.
func folder(t *testing.T, dir, name, contract string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name, "contract.json"), []byte(contract), 0o600); err != nil {
		t.Fatal(err)
	}
}

// The dataset usage is there if it is asked for, whichever folders are given; one of a team's own that happens to
// have its name is a dataset like any other, and not counted into.
func TestLoadUsage(t *testing.T) {
	t.Parallel()
	usage, err := fs.ReadFile(data.FS, "usage/contract.json")
	if err != nil {
		t.Fatal(err)
	}
	const other = `{"type": "object", "properties": {"kwh": {"type": "number"}}}`
	plain, own, namesake, root := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	folder(t, plain, "things", other)
	folder(t, own, "usage", string(usage))
	folder(t, namesake, "usage", other)
	if err := os.CopyFS(root, data.FS); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name  string
		dirs  []string
		usage bool
		want  string
		dir   string // of usage
	}{
		{"built in", nil, false, "[canary flights] <nil>", ""},
		{"built in, with usage", nil, true, "[canary flights usage] <nil>", ""},
		{"the folder of those built in", []string{root}, false, "[canary flights] <nil>", ""},
		{"that folder, with usage", []string{root}, true, "[canary flights usage] <nil>", filepath.Join(root, "usage")},
		{"others", []string{plain}, false, "[things] <nil>", ""},
		{"others, with usage", []string{plain}, true, "[things usage] <nil>", ""},
		{"one's own endpoints", []string{plain, own}, true, "[things usage] <nil>", filepath.Join(own, "usage")},
		{"a namesake", []string{namesake}, false, "[usage] <nil>", filepath.Join(namesake, "usage")},
	} {
		all, err := dataset.Load(test.dirs, test.usage)
		names := dataset.Names(all)
		slices.Sort(names)
		if got := fmt.Sprint(names, err); got != test.want {
			t.Errorf("%s: %s, want %s", test.name, got, test.want)
		}
		for _, d := range all {
			if d.Name == dataset.Usage && d.Dir != test.dir {
				t.Errorf("%s: it is from %q, want %q", test.name, d.Dir, test.dir)
			}
		}
	}
	if _, err := dataset.Load([]string{namesake}, true); err == nil || !strings.Contains(err.Error(), "rename the folder") {
		t.Errorf("a namesake, with usage: %v", err)
	}
}
