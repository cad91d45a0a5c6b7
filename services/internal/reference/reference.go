// Package reference loads a dataset's reference files into tables. They are CSV; a column is text unless
// the header has NAME:TYPE, such as latitude:number.
package reference

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/tabular"
)

// Fill creates the table and loads the file of the reference table into it. A table of the catalog temp
// is temporary.
func Fill(ctx context.Context, conn *database.Conn, into database.Table, name string, content []byte) error {
	file := "reference/" + name + ".csv"
	r, err := open(content)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	defer r.in.Close()
	kind := "TABLE "
	if into.Catalog == "temp" {
		kind = "TEMP TABLE "
	}
	if err := database.ExecAll(ctx, conn, "CREATE OR REPLACE "+kind+into.String()+" "+database.ColumnList(r.fields())); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return conn.AppendRows(into, func(add func(row ...driver.Value) error) error { return r.each(ctx, file, add) })
}

// reference is an open reference file.
type reference struct {
	in      *tabular.Input
	table   *tabular.Table
	columns []contract.Column
}

// open opens the file and reads its header.
func open(content []byte) (*reference, error) {
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
	seen := map[string]string{}
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
		// DuckDB's names are case-insensitive.
		other, twice := seen[strings.ToLower(c.Name)]
		switch {
		case c.Name == "" || strings.ContainsRune(c.Name, 0):
			return fmt.Errorf("header: %q can't be a column's name", text)
		case twice:
			return fmt.Errorf("header: %q and %q are one name to SQL: rename one of them", other, text)
		case slices.Contains(contract.SystemColumns(), strings.ToLower(c.Name)):
			return fmt.Errorf("header: %q is the name of a system column, which * does not select: rename it", text)
		}
		seen[strings.ToLower(c.Name)] = text
		r.columns = append(r.columns, c)
	}
	return nil
}

func (r *reference) fields() []database.Field {
	fields := make([]database.Field, len(r.columns))
	for i, c := range r.columns {
		fields[i] = database.Field{Name: c.Name, Type: c.Type.String()}
	}
	return fields
}

// maxFaults is how many lines with errors are listed.
const maxFaults = 10

// each calls add with every row until a line has an error. It returns the errors of all lines.
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
			value, err = database.UUID(text)
		}
		if err != nil {
			return fmt.Errorf("column %s: %w", c.Name, err)
		}
		to[i] = value
	}
	return nil
}
