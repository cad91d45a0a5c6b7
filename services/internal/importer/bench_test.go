package importer_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/estela-dev/estela/data"
	"github.com/estela-dev/estela/services/internal/importer"
)

// BenchmarkFile reads the rows of the flights' sample as each kind of file, with
// their mapping and without.
func BenchmarkFile(b *testing.B) {
	mapping, airports, files := flightFiles(b)
	for _, path := range files {
		for _, name := range []string{"mapping", "none"} {
			cfg := importer.Config{Path: path, References: map[string][]byte{"airports": airports}}
			if name == "mapping" {
				cfg.Mapping = mapping
			}
			b.Run(filepath.Ext(path)[1:]+"/"+name, func(b *testing.B) {
				rows := 0
				for b.Loop() {
					f, err := importer.Open(b.Context(), cfg)
					if err == nil {
						err = f.Each(b.Context(), func(d importer.Document) error { rows++; return d.Problem })
						err = errors.Join(err, f.Close())
					}
					if err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
			})
		}
	}
}

// flightFiles writes the flights' sample in each format.
func flightFiles(b *testing.B) (mapping string, airports []byte, files []string) {
	content := map[string][]byte{}
	for _, name := range []string{"sample.parquet", "mapping.sql", "reference/airports.csv"} {
		var err error
		if content[name], err = data.FS.ReadFile("flights/" + name); err != nil {
			b.Fatal(err)
		}
	}
	sample := filepath.Join(b.TempDir(), "sample.parquet")
	if err := os.WriteFile(sample, content["sample.parquet"], 0o600); err != nil {
		b.Fatal(err)
	}
	db, err := sql.Open("duckdb", "")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	files = []string{sample}
	for name, format := range map[string]string{"csv": "csv", "ndjson": "json"} {
		path := filepath.Join(b.TempDir(), "sample."+name)
		if _, err := db.ExecContext(b.Context(), "COPY (FROM '"+sample+"') TO '"+path+"' (FORMAT "+format+")"); err != nil {
			b.Fatal(err)
		}
		files = append(files, path)
	}
	return string(content["mapping.sql"]), content["reference/airports.csv"], files
}
