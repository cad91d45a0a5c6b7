package data_test

import (
	"encoding/json"
	"io/fs"
	"testing"

	"github.com/estela-dev/estela/data"
)

// maxSample keeps the repository small and 'estela up' quick.
const maxSample = 2 << 20

func TestEveryFolderIsADataset(t *testing.T) {
	t.Parallel()
	folders, err := fs.ReadDir(data.FS, ".")
	if err != nil || len(folders) == 0 {
		t.Fatalf("%d folders, %v", len(folders), err)
	}
	for _, folder := range folders {
		contract, err := fs.ReadFile(data.FS, folder.Name()+"/contract.json")
		if err != nil || !json.Valid(contract) {
			t.Errorf("%s: no contract.json that is JSON: %v", folder.Name(), err)
		}
		samples, err := fs.Glob(data.FS, folder.Name()+"/sample.*")
		if err != nil || len(samples) > 1 {
			t.Errorf("%s: one sample at most, not %q: %v", folder.Name(), samples, err)
		}
		for _, sample := range samples {
			info, err := fs.Stat(data.FS, sample)
			if err != nil || info.Size() > maxSample {
				t.Errorf("%s: %d bytes, %d at most: %v", sample, info.Size(), maxSample, err)
			}
			if _, err := fs.Stat(data.FS, folder.Name()+"/SOURCE.md"); err != nil {
				t.Errorf("%s: a sample without SOURCE.md, its source and terms: %v", sample, err)
			}
		}
	}
}
