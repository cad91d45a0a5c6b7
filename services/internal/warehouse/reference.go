package warehouse

import (
	"bytes"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/duckdb/duckdb-go/v2"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/tabular"
)

// referenceRules names how a file becomes a table: a table that was made by others is
// made anew.
const referenceRules = "text unless the header has a type\n"

func referenceMarker(name string) string { return "reference table " + name }

func referenceHash(content []byte) string { return digest([]byte(referenceRules + string(content))) }

// referenceHashes is the same as long as no table is another.
func referenceHashes(refs map[string][]byte) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(refs)) {
		fmt.Fprintln(&b, name, referenceHash(refs[name]))
	}
	return b.String()
}

// loadReference replaces the table by the file's rows if the file is another
// than the one it was loaded from.
func (w *Warehouse) loadReference(ctx context.Context, s *session, name string, content []byte) error {
	hash := referenceHash(content)
	done, err := marker(ctx, s.conn, referenceMarker(name))
	if err != nil || done == hash {
		return err
	}
	stage := temporary("stage reference")
	if err := fillReference(ctx, s.conn, stage, name, content); err != nil {
		return err
	}
	return transaction(ctx, s.conn, func() error {
		err := execAll(ctx, s.conn,
			"CREATE OR REPLACE TABLE "+datasetTable(name).String()+" AS FROM "+stage.String(),
			"DROP TABLE "+stage.String())
		if err != nil {
			return err
		}
		return setMarker(ctx, s.conn, referenceMarker(name), hash)
	})
}

// fillReference makes the table of the file.
func fillReference(ctx context.Context, conn *sql.Conn, into table, name string, content []byte) error {
	file := "reference/" + name + ".csv"
	r, err := openReference(content)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	defer r.in.Close()
	kind := "TABLE "
	if into.catalog == "temp" {
		kind = "TEMP TABLE "
	}
	if err := execAll(ctx, conn, "CREATE OR REPLACE "+kind+into.String()+" "+columnList(r.fields())); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return conn.Raw(func(c any) error {
		a, err := duckdb.NewAppender(c.(driver.Conn), into.catalog, into.schema, into.name) //nolint:forcetypeassert // it is the driver's
		if err != nil {
			return fmt.Errorf("append to %s: %w", into, err)
		}
		return errors.Join(r.each(ctx, file, a.AppendRow), a.Close())
	})
}

// reference is a reference table's file.
type reference struct {
	in      *tabular.Input
	table   *tabular.Table
	columns []contract.Column
}

// openReference reads the header: a column is text, unless its name is followed by a
// colon and a type.
func openReference(content []byte) (*reference, error) {
	in, err := tabular.Open(bytes.NewReader(content), tabular.Options{Name: ".csv", UTF8: true})
	if err != nil {
		return nil, err
	}
	r := &reference{in: in}
	if err := r.header(); err != nil {
		in.Close()
		return nil, err
	}
	return r, nil
}

func (r *reference) header() (err error) {
	if r.in.Format != tabular.CSV {
		return fmt.Errorf("is %s: reference tables are CSV", r.in.Format)
	}
	if r.table, err = r.in.Table(); err != nil {
		return err
	}
	met := map[string]string{}
	for _, text := range r.table.Header {
		c := contract.Column{Name: text, Type: column.Varchar}
		if at := strings.LastIndexByte(text, ':'); at >= 0 {
			var ok bool
			if c.Type, ok = contract.ScalarType(text[at+1:]); !ok {
				return fmt.Errorf("header: %q names no type behind its colon: there are %s; where the colon belongs to the name, add :string",
					text, contract.ScalarNames)
			}
			c.Name = text[:at]
		}
		// DuckDB's names don't tell capitals apart.
		other, twice := met[strings.ToLower(c.Name)]
		switch {
		case c.Name == "" || strings.ContainsRune(c.Name, 0):
			return fmt.Errorf("header: %q is no name of a column", text)
		case twice:
			return fmt.Errorf("header: %q and %q are one name to SQL: rename one of them", other, text)
		case slices.Contains(SystemColumns(), strings.ToLower(c.Name)):
			return fmt.Errorf("header: %q is the name of a system column, which * does not give: rename it", text)
		}
		met[strings.ToLower(c.Name)] = text
		r.columns = append(r.columns, c)
	}
	return nil
}

func (r *reference) fields() []field {
	fields := make([]field, len(r.columns))
	for i, c := range r.columns {
		fields[i] = field{c.Name, c.Type.String()}
	}
	return fields
}

// maxFaults is how many lines with errors are listed.
const maxFaults = 10

// each calls add with every row. All lines that are no rows are its error.
func (r *reference) each(ctx context.Context, file string, add func(row ...driver.Value) error) error {
	var faults []error
	row := make([]driver.Value, len(r.columns))
	err := r.table.Each(ctx, func(line int64, record []tabular.Field, problem error) error {
		if problem == nil {
			problem = r.row(row, record)
		}
		switch {
		case problem == nil && len(faults) == 0:
			return add(row...)
		case problem != nil:
			faults = append(faults, fmt.Errorf("%s: line %d: %w", file, line, problem))
		}
		return nil
	})
	if err != nil {
		err = fmt.Errorf("%s: %w", file, err)
	}
	if more := len(faults) - maxFaults; more > 0 {
		faults = append(faults[:maxFaults], fmt.Errorf("%s: %d more lines have errors", file, more))
	}
	return errors.Join(append(faults, err)...)
}

func (r *reference) row(to []driver.Value, record []tabular.Field) error {
	for i, f := range record {
		c := r.columns[i]
		if f.Absent() {
			to[i] = nil
			continue
		}
		if bytes.IndexByte(f.Text, 0) >= 0 {
			return fmt.Errorf("column %s: holds the character U+0000, which a text column can't keep", c.Name)
		}
		value, err := contract.ParseScalar(c.Type, string(f.Text))
		if text, ok := value.(string); ok && c.Type == column.UUID {
			var id duckdb.UUID
			err = id.Scan(text)
			value = id
		}
		if err != nil {
			return fmt.Errorf("column %s: %w", c.Name, err)
		}
		to[i] = value
	}
	return nil
}
