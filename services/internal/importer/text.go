package importer

import (
	"cmp"
	"context"
	"fmt"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/jsontext"
	"github.com/estela-dev/estela/services/internal/tabular"
)

// recordFunc receives a record of CSV, or its problem.
type recordFunc func(line int64, record []tabular.Field, problem error) error

// recordsOf converts records to documents without a mapping.
func (f *File) recordsOf(t *tabular.Table, fn func(Document) error) recordFunc {
	columns := make([]textColumn, len(t.Header))
	for i, name := range t.Header {
		columns[i] = newTextColumn(name, f.cfg.Shape)
		columns[i].out = f.isIgnored(name)
	}
	var buf []byte
	return func(line int64, record []tabular.Field, problem error) error {
		if problem != nil {
			return fn(Document{Line: line, Text: t.Text(), Problem: problem})
		}
		buf, problem = appendRecord(buf[:0], columns, record)
		return fn(Document{Line: line, JSON: buf, Problem: problem})
	}
}

// textColumn writes a column of text into documents.
type textColumn struct {
	name  string
	label []byte // "name":
	shape contract.Shape
	null  bool // write an absent value as null
	out   bool // leave the column out
}

func newTextColumn(name string, shape contract.Shape) textColumn {
	c := textColumn{name: name, label: append(jsontext.AppendString(nil, []byte(name)), ':'), null: shape.NeedsNull(name)}
	c.shape, _ = shape.Member(name)
	return c
}

// appendRecord writes a record as a document. An invalid field is written as its text.
func appendRecord(buf []byte, columns []textColumn, record []tabular.Field) (_ []byte, fault error) {
	buf = append(buf, '{')
	for i, field := range record {
		c := &columns[i]
		if c.out {
			continue
		}
		from := len(buf)
		if from > 1 {
			buf = append(buf, ',')
		}
		buf = append(buf, c.label...)
		value := len(buf)
		if field.Absent() {
			buf = append(buf, "null"...)
		} else {
			var err error
			if buf, err = appendTyped(buf, field.Text, c.shape, c.name); err != nil {
				buf = jsontext.AppendString(buf[:value], field.Text)
				fault = cmp.Or(fault, fmt.Errorf("column %s: %w", c.name, err))
			}
		}
		if !c.null && string(buf[value:]) == "null" {
			buf = buf[:from]
		}
	}
	return append(buf, '}'), fault
}

// appendTyped converts a text of an untyped file to the contract's type. A text that doesn't parse stays
// a string, so that the contract's decoder reports it.
func appendTyped(buf, text []byte, shape contract.Shape, name string) ([]byte, error) {
	buf, fault := shape.AppendText(buf, text)
	switch fault {
	case contract.TextBooleanCase:
		return buf, fmt.Errorf("has \"%[1]s\" where booleans are true and false: use a mapping, "+
			"such as SELECT * REPLACE (lower(%[2]s) AS %[2]s) FROM source", text, database.QuoteName(name))
	case contract.TextThousands:
		return buf, fmt.Errorf("%s may be thousands or a fraction: write it without the point, or use a mapping, "+
			"such as SELECT * REPLACE (replace(%[2]s, '.', '') AS %[2]s) FROM source", text, database.QuoteName(name))
	case contract.TextDecimalComma:
		return buf, fmt.Errorf("has a decimal comma where numbers have a point: use a mapping, "+
			"such as SELECT * REPLACE (replace(replace(%[1]s, '.', ''), ',', '.') AS %[1]s) FROM source", database.QuoteName(name))
	default:
		return buf, nil
	}
}

// loadTable loads the records into source, all columns VARCHAR.
func (f *File) loadTable(ctx context.Context, fn func(Document) error) (bool, error) {
	t, err := f.in.Table()
	if err == nil {
		err = checkColumns(t.Header)
	}
	if err != nil {
		return false, err
	}
	f.columns = t.Header
	l, err := newTableLoader(ctx, f.scratch, t.Header)
	if err != nil {
		return false, err
	}
	err = t.Each(ctx, func(line int64, record []tabular.Field, problem error) error {
		if problem != nil {
			return fn(Document{Line: line, Text: t.Text(), Problem: problem})
		}
		return l.add(ctx, line, record)
	})
	if err != nil {
		return false, err
	}
	return true, l.flush(ctx)
}

// tableLoader appends records in batches.
type tableLoader struct {
	scratch *database.Scratch
	lines   []int64
	bytes   int
	columns []column.Vector
}

// Approximate limits of a batch: records, bytes, values.
const (
	loadBatch = 8 * database.VectorSize
	loadBytes = 64 << 20
	loadCells = 4 << 20
)

func newTableLoader(ctx context.Context, s *database.Scratch, header []string) (*tableLoader, error) {
	fields := []database.Field{{Name: rowColumn, Type: "BIGINT"}}
	for _, name := range header {
		fields = append(fields, database.Field{Name: name, Type: "VARCHAR"})
	}
	if err := database.ExecAll(ctx, s.Conn, "CREATE TABLE source "+database.ColumnList(fields)); err != nil {
		return nil, err
	}
	l := &tableLoader{scratch: s, columns: make([]column.Vector, len(header))}
	for i := range l.columns {
		l.columns[i].Type = column.Varchar
	}
	return l, nil
}

func (l *tableLoader) add(ctx context.Context, line int64, record []tabular.Field) error {
	l.lines = append(l.lines, line)
	for i, field := range record {
		c := &l.columns[i]
		if field.Absent() {
			c.AppendNull(len(l.lines) - 1)
			continue
		}
		c.AppendText(field.Text)
		l.bytes += len(field.Text)
		if c.Nulls != nil {
			c.Nulls = append(c.Nulls, 0)
		}
	}
	if len(l.lines) < loadBatch && l.bytes < loadBytes && len(l.lines)*len(l.columns) < loadCells {
		return nil
	}
	return l.flush(ctx)
}

func (l *tableLoader) flush(ctx context.Context) error {
	values := []database.Values{database.Numbers(l.lines)}
	for i := range l.columns {
		values = append(values, database.Vector(&l.columns[i]))
	}
	if err := l.scratch.Conn.Append(ctx, l.scratch.Table("source"), len(l.lines), values); err != nil {
		return err
	}
	l.lines, l.bytes = l.lines[:0], 0
	for i := range l.columns {
		l.columns[i].Reset()
	}
	return nil
}
