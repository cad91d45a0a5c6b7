package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/estela-dev/estela/data"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/endpoint"
)

// dataset is one folder of data/, read.
type dataset struct {
	*contract.Contract
	endpoints  []endpoint.Endpoint
	views      string
	mapping    string
	references map[string][]byte // CSV by table name
	sample     string            // file name, empty if there is none
	folder     fs.FS             // the dataset's own folder
}

// datasets reads the folders that --data names, or those built in, and reports
// the faults of all of them at once, beside what could be read.
func (g *Globals) datasets() ([]*dataset, error) {
	folders, err := g.folders()
	if err != nil {
		return nil, err
	}
	var all []*dataset
	var faults []error
	for _, f := range folders {
		d, err := readDataset(f.fsys, f.dir)
		if d != nil && slices.ContainsFunc(all, func(o *dataset) bool { return o.Name == d.Name }) {
			d, err = nil, usageError{fmt.Errorf("dataset %s: given twice; rename one of the folders", d.Name)}
		}
		faults = append(faults, err)
		if d != nil {
			all = append(all, d)
		}
	}
	return all, errors.Join(faults...)
}

// folder is a dataset folder in a file system.
type folder struct {
	fsys fs.FS
	dir  string
}

func (g *Globals) folders() ([]folder, error) {
	if len(g.Data) == 0 {
		return foldersIn(data.FS, "the built-in data")
	}
	var all []folder
	for _, dir := range g.Data {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return nil, fmt.Errorf("find %s: %w", dir, err)
		}
		if _, err := os.Stat(filepath.Join(abs, "contract.json")); err == nil {
			all = append(all, folder{os.DirFS(filepath.Dir(abs)), filepath.Base(abs)})
			continue
		}
		found, err := foldersIn(os.DirFS(abs), dir)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

func foldersIn(fsys fs.FS, name string) ([]folder, error) {
	contracts, err := fs.Glob(fsys, "*/contract.json")
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", name, err)
	}
	if len(contracts) == 0 {
		return nil, usageError{fmt.Errorf("no dataset in %s: put a contract.json in it or in a folder below it", name)}
	}
	all := make([]folder, len(contracts))
	for i, c := range contracts {
		all[i] = folder{fsys, path.Dir(c)}
	}
	return all, nil
}

func readDataset(fsys fs.FS, dir string) (*dataset, error) {
	c, err := contract.Load(fsys, dir)
	if err != nil {
		return nil, err
	}
	d := &dataset{Contract: c, references: map[string][]byte{}}
	var faults error
	if d.endpoints, faults = endpoint.Load(fsys, dir); faults != nil && d.endpoints == nil {
		return nil, faults
	}
	if d.folder, err = fs.Sub(fsys, dir); err != nil {
		return nil, fmt.Errorf("open dataset %s: %w", dir, err)
	}
	if d.views, err = readOptional(d.folder, "views.sql"); err != nil {
		return nil, err
	}
	if d.mapping, err = readOptional(d.folder, "mapping.sql"); err != nil {
		return nil, err
	}
	samples, err := fs.Glob(d.folder, "sample.*")
	if err != nil || len(samples) > 1 {
		return nil, usageError{fmt.Errorf("dataset %s: one sample at most, found %s", dir, strings.Join(samples, ", "))}
	}
	if len(samples) == 1 {
		d.sample = samples[0]
	}
	return d, errors.Join(faults, d.readReferences())
}

func (d *dataset) readReferences() error {
	files, err := fs.Glob(d.folder, "reference/*.csv")
	if err != nil {
		return fmt.Errorf("list references of %s: %w", d.Name, err)
	}
	for _, file := range files {
		csv, err := fs.ReadFile(d.folder, file)
		if err != nil {
			return fmt.Errorf("read reference of %s: %w", d.Name, err)
		}
		d.references[strings.TrimSuffix(path.Base(file), ".csv")] = csv
	}
	return nil
}

func readOptional(fsys fs.FS, name string) (string, error) {
	text, err := fs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("read %s: %w", name, err)
	}
	return string(text), nil
}

// pick reads the datasets and finds the one of that name.
func (g *Globals) pick(name string) (*dataset, error) {
	all, err := g.datasets()
	if err != nil {
		return nil, err
	}
	return pick(all, name)
}

// pick finds the dataset of that name.
func pick(all []*dataset, name string) (*dataset, error) {
	names := make([]string, len(all))
	for i, d := range all {
		if d.Name == name {
			return d, nil
		}
		names[i] = d.Name
	}
	return nil, usageError{fmt.Errorf("no dataset %q: there is %s; give another folder with --data", name, strings.Join(names, ", "))}
}

func contractsOf(all []*dataset) []*contract.Contract {
	contracts := make([]*contract.Contract, len(all))
	for i, d := range all {
		contracts[i] = d.Contract
	}
	return contracts
}
