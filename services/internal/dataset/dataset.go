// Package dataset loads the folders of datasets: contract, endpoints, views, mapping, references and
// sample of each.
package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/estela-dev/estela/data"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/tabular"
)

// Dataset is the content of a dataset's folder.
type Dataset struct {
	*contract.Contract

	Endpoints []endpoint.Endpoint
	// Views and Mapping are the text of views.sql and mapping.sql, empty without the file.
	Views, Mapping string
	// MapFormats are the formats of files that the mapping is for: those in its header, by default
	// the tables, as JSON documents are mostly events already.
	MapFormats []tabular.Format
	// References are the CSV files of reference/, by table name.
	References map[string][]byte
	// Sample is the name of the sample's file in Folder, empty if there is none.
	Sample string
	// Folder is the dataset's folder, and Dir its path, empty if it is built in.
	Folder fs.FS
	Dir    string
}

// Usage is the name of the dataset of what is used by whom, which is built in and loaded only where it is
// asked for.
const Usage = "usage"

// Load loads the datasets in the directories (each a dataset's folder, or a folder of such) or, without
// directories, those built in. With usage, that of this name is among them: the built-in one, or one with its
// contract in the directories, which has endpoints of its own. It returns the errors of all of them, beside
// the datasets without.
func Load(dirs []string, usage bool) ([]*Dataset, error) {
	all, faults := load(dirs)
	own, err := contract.Load(data.FS, Usage)
	if err != nil {
		return nil, errors.Join(faults, err)
	}
	i := slices.IndexFunc(all, func(d *Dataset) bool { return d.Name == Usage })
	switch {
	case i >= 0 && all[i].Version == own.Version && !usage:
		return slices.Delete(all, i, i+1), faults
	case i >= 0 && all[i].Version != own.Version && usage:
		return all, errors.Join(faults, fault.Usagef("dataset %s in %s: --usage has a dataset of this name, whose contract is another; rename the folder, or leave --usage out", Usage, all[i].Dir))
	case i < 0 && usage:
		d, err := read(data.FS, Usage)
		return append(all, d), errors.Join(faults, err)
	}
	return all, faults
}

func load(dirs []string) ([]*Dataset, error) {
	folders, err := folders(dirs)
	if err != nil {
		return nil, err
	}
	var all []*Dataset
	var faults []error
	for _, f := range folders {
		d, err := read(f.fsys, f.dir)
		if d != nil && slices.ContainsFunc(all, func(o *Dataset) bool { return o.Name == d.Name }) {
			d, err = nil, fault.Usagef("dataset %s: given twice; rename one of the folders", d.Name)
		}
		faults = append(faults, err)
		if d != nil {
			d.Dir = f.at
			all = append(all, d)
		}
	}
	return all, errors.Join(faults...)
}

// IsIn reports whether the directory is a dataset's folder, or has such folders.
func IsIn(dir string) bool {
	for _, pattern := range []string{"contract.json", "*/contract.json"} {
		if found, err := fs.Glob(os.DirFS(dir), pattern); err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}

// folder is a dataset's folder (dir) in a file system, and its path.
type folder struct {
	fsys    fs.FS
	dir, at string
}

func folders(dirs []string) ([]folder, error) {
	if len(dirs) == 0 {
		return foldersIn(data.FS, "the built-in data")
	}
	var all []folder
	for _, dir := range dirs {
		abs, err := filepath.Abs(dir)
		if err != nil {
			return nil, fmt.Errorf("find %s: %w", dir, err)
		}
		if _, err := os.Stat(filepath.Join(abs, "contract.json")); err == nil {
			all = append(all, folder{os.DirFS(filepath.Dir(abs)), filepath.Base(abs), dir})
			continue
		}
		found, err := foldersIn(os.DirFS(abs), dir)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			f.at = filepath.Join(dir, f.dir)
			all = append(all, f)
		}
	}
	return all, nil
}

func foldersIn(fsys fs.FS, name string) ([]folder, error) {
	contracts, err := fs.Glob(fsys, "*/contract.json")
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", name, err)
	}
	if len(contracts) == 0 {
		return nil, fault.Usagef("no dataset in %s: put a contract.json in it or in a folder below it", name)
	}
	all := make([]folder, len(contracts))
	for i, c := range contracts {
		all[i] = folder{fsys: fsys, dir: path.Dir(c)}
	}
	return all, nil
}

func read(fsys fs.FS, dir string) (*Dataset, error) {
	c, err := contract.Load(fsys, dir)
	if err != nil {
		return nil, err
	}
	d := &Dataset{Contract: c, References: map[string][]byte{}}
	var faults error
	if d.Endpoints, faults = endpoint.Load(fsys, dir); faults != nil && d.Endpoints == nil {
		return nil, faults
	}
	if d.Folder, err = fs.Sub(fsys, dir); err != nil {
		return nil, fmt.Errorf("open dataset %s: %w", dir, err)
	}
	if d.Views, err = readOptional(d.Folder, "views.sql"); err != nil {
		return nil, err
	}
	if d.Mapping, err = readOptional(d.Folder, "mapping.sql"); err != nil {
		return nil, err
	}
	if d.MapFormats, err = mapFormats(d.Mapping); err != nil {
		return nil, fmt.Errorf("load %s/mapping.sql: %w", dir, err)
	}
	samples, err := fs.Glob(d.Folder, "sample.*")
	if err != nil || len(samples) > 1 {
		return nil, fault.Usagef("dataset %s: one sample at most, found %s", dir, strings.Join(samples, ", "))
	}
	if len(samples) == 1 {
		d.Sample = samples[0]
	}
	return d, errors.Join(faults, d.readReferences())
}

// mapFormats reads "-- format: NAME, …" among the comment lines at the beginning of a mapping.
func mapFormats(sql string) ([]tabular.Format, error) {
	formats := []tabular.Format{tabular.CSV, tabular.TSV, tabular.Parquet}
	for line := range strings.Lines(sql) {
		comment, ok := strings.CutPrefix(strings.TrimSpace(line), "--")
		if !ok {
			break
		}
		list, ok := strings.CutPrefix(strings.TrimSpace(comment), "format:")
		if !ok {
			continue
		}
		formats = nil
		for name := range strings.SplitSeq(list, ",") {
			format, err := tabular.ParseFormat(strings.TrimSpace(name))
			if err != nil || format == tabular.Auto {
				return nil, fault.Usagef("-- format: names %q, and there are csv, tsv, ndjson, json and parquet", strings.TrimSpace(name))
			}
			formats = append(formats, format)
		}
	}
	return formats, nil
}

func (d *Dataset) readReferences() error {
	files, err := fs.Glob(d.Folder, "reference/*.csv")
	if err != nil {
		return fmt.Errorf("list references of %s: %w", d.Name, err)
	}
	for _, file := range files {
		csv, err := fs.ReadFile(d.Folder, file)
		if err != nil {
			return fmt.Errorf("read reference of %s: %w", d.Name, err)
		}
		d.References[strings.TrimSuffix(path.Base(file), ".csv")] = csv
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

// Pick returns the dataset with the name.
func Pick(all []*Dataset, name string) (*Dataset, error) {
	for _, d := range all {
		if d.Name == name {
			return d, nil
		}
	}
	names := Names(all)
	return nil, fault.Usagef("no dataset %q%s: there is %s; give another folder with --data",
		name, fault.DidYouMean(name, names), strings.Join(names, ", "))
}

// Contracts returns the datasets' contracts.
func Contracts(all []*Dataset) []*contract.Contract {
	contracts := make([]*contract.Contract, len(all))
	for i, d := range all {
		contracts[i] = d.Contract
	}
	return contracts
}

// Names returns the datasets' names.
func Names(all []*Dataset) []string {
	names := make([]string, len(all))
	for i, d := range all {
		names[i] = d.Name
	}
	return names
}

// Served converts the datasets for the API. system are the columns that the warehouse adds to each
// table.
func Served(all []*Dataset, system []string) []endpoint.Dataset {
	served := make([]endpoint.Dataset, len(all))
	for i, d := range all {
		served[i] = endpoint.Dataset{
			Name: d.Name, Description: d.Description, Endpoints: d.Endpoints, Views: d.Views,
			Tables: slices.Sorted(maps.Keys(d.References)), Columns: d.Columns, System: system,
		}
	}
	return served
}

// Example returns the path of an endpoint without required parameters: of a dataset with a sample, if
// there is one, the first with a chart. It is empty if no dataset has endpoints.
func Example(all []*Dataset) string {
	var chosen *Dataset
	for _, d := range all {
		if len(d.Endpoints) > 0 && (chosen == nil || chosen.Sample == "" && d.Sample != "") {
			chosen = d
		}
	}
	if chosen == nil {
		return ""
	}
	path := "/v1"
	for _, e := range chosen.Endpoints {
		switch {
		case e.NeedsParams():
		case e.Chart != nil:
			return "/v1/" + chosen.Name + "/" + e.Name
		case path == "/v1":
			path += "/" + chosen.Name + "/" + e.Name
		}
	}
	return path
}
