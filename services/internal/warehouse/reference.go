package warehouse

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/reference"
)

// referenceRules is the version of the conversion from file to table: tables of another one are recreated.
const referenceRules = "text unless the header has a type\n"

func referenceMarker(name string) string { return "reference table " + name }

func referenceHash(content []byte) string { return digest([]byte(referenceRules + string(content))) }

// referenceHashes returns the names and hashes of all reference files.
func referenceHashes(refs map[string][]byte) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		fmt.Fprintln(&b, name, referenceHash(refs[name]))
	}
	return b.String()
}

// loadReference replaces the table's rows if the file has changed since it was loaded.
func (w *Warehouse) loadReference(ctx context.Context, conn *database.Conn, name string, content []byte) error {
	hash := referenceHash(content)
	done, err := marker(ctx, conn, referenceMarker(name))
	if err != nil || done == hash {
		return err
	}
	stage := database.Temporary("stage reference")
	if err := reference.Fill(ctx, conn, stage, name, content); err != nil {
		return err
	}
	return database.Transaction(ctx, conn, func() error {
		err := database.ExecAll(ctx, conn,
			"CREATE OR REPLACE TABLE "+datasetTable(name).String()+" AS FROM "+stage.String(),
			"DROP TABLE "+stage.String())
		if err != nil {
			return err
		}
		return setMarker(ctx, conn, referenceMarker(name), hash)
	})
}
