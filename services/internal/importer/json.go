package importer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"unsafe"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/event"
)

// loadDocuments loads the documents into source; those that are no JSON objects are problems.
func (f *File) loadDocuments(ctx context.Context, fn func(Document) error) (bool, error) {
	l := &documentLoader{scratch: f.scratch, index: map[string]int{}}
	var split contract.Splitter
	err := f.in.Documents(ctx, func(line int64, doc []byte, problem error) error {
		if problem == nil {
			members, wrong := split.Split(doc)
			if problem = splitError(wrong); problem == nil {
				problem = l.add(line, members)
			}
		}
		if problem != nil {
			return fn(Document{Line: line, JSON: doc, Problem: problem})
		}
		if len(l.lines) < loadBatch && len(l.heap) < loadBytes && len(l.lines)*len(l.columns) < loadCells {
			return nil
		}
		return l.flush(ctx)
	})
	if err == nil {
		err = l.flush(ctx)
	}
	for _, c := range l.columns {
		f.columns = append(f.columns, c.name)
	}
	return l.made, err
}

// splitError returns the first violation as an error, nil without one.
func splitError(wrong []event.Violation) error {
	switch {
	case len(wrong) == 0:
		return nil
	case wrong[0].Pointer == "":
		return errors.New(wrong[0].Message)
	default:
		return errors.New(wrong[0].String())
	}
}

// jsonColumn is a column of source under construction.
type jsonColumn struct {
	name string
	// kind is the type for all values so far, stored that of the table's column.
	kind, stored jsonKind
	// wide: there is an integer beyond 2^53, which a double may not represent.
	wide  bool
	cells []cell // of the batch
	// inTable: the table has the column.
	inTable bool
	text    column.Vector // of the batch, if it is text or JSON
}

// cell is a value's range in the batch's heap; to is 0 if there is none.
type cell struct{ from, to int }

// documentLoader appends documents in batches. Each batch first alters the table to fit its values.
type documentLoader struct {
	scratch *database.Scratch
	made    bool // the table exists
	columns []jsonColumn
	index   map[string]int // of columns, by folded name
	at      []int          // the columns of the current document
	lines   []int64
	heap    []byte
}

// add adds a document to the batch, or returns why it can't be a row of source.
func (l *documentLoader) add(line int64, members []contract.Member) error {
	l.at = l.at[:0]
	for i, m := range members {
		if i < len(l.columns) && l.columns[i].name == string(m.Name) {
			l.at = append(l.at, i)
			continue
		}
		c, err := l.column(m.Name)
		if err != nil {
			return err
		}
		l.at = append(l.at, c)
	}
	for i, m := range members {
		l.columns[l.at[i]].add(len(l.lines), m.Value, &l.heap)
	}
	l.lines = append(l.lines, line)
	return nil
}

// column returns the index of a property's column, which it adds if needed.
func (l *documentLoader) column(name []byte) (int, error) {
	folded := foldName(string(name))
	c, known := l.index[folded]
	switch {
	case known && l.columns[c].name != string(name):
		return 0, fmt.Errorf("property %q differs only by case from %q, and SQL does not tell them apart: rename it", name, l.columns[c].name)
	case known:
		return c, nil
	case folded == rowColumn:
		return 0, fmt.Errorf("property %q is what a mapping calls the row's number: rename it, or publish the file with --mapping none", name)
	case folded == "":
		return 0, errors.New("has a property without a name, which can't be a column of source: publish the file with --mapping none")
	}
	l.index[folded] = len(l.columns)
	l.columns = append(l.columns, jsonColumn{name: string(name), text: column.Vector{Type: column.Varchar}})
	return len(l.columns) - 1, nil
}

func (c *jsonColumn) add(row int, value []byte, heap *[]byte) {
	kind, wide := kindOf(value)
	if kind == jsonNull {
		return
	}
	c.wide = c.wide || wide
	c.kind = c.kind.with(kind, c.wide)
	c.pad(row)
	from := len(*heap)
	*heap = append(*heap, value...)
	c.cells = append(c.cells, cell{from, len(*heap)})
}

// pad appends empty cells up to the row.
func (c *jsonColumn) pad(rows int) {
	for len(c.cells) < rows {
		c.cells = append(c.cells, cell{})
	}
}

// flush alters the table to fit the batch and appends it.
func (l *documentLoader) flush(ctx context.Context) error {
	if len(l.lines) == 0 {
		return nil
	}
	if err := l.alter(ctx); err != nil {
		return err
	}
	values := []database.Values{database.Numbers(l.lines)}
	for i := range l.columns {
		c := &l.columns[i]
		c.pad(len(l.lines))
		s, err := c.values(l.heap)
		if err != nil {
			return err
		}
		values = append(values, s)
	}
	if err := l.scratch.Conn.Append(ctx, l.scratch.Table("source"), len(l.lines), values); err != nil {
		return err
	}
	l.lines, l.heap = l.lines[:0], l.heap[:0]
	for i := range l.columns {
		l.columns[i].cells = l.columns[i].cells[:0]
	}
	return nil
}

// alter creates the table, or adds and converts columns.
func (l *documentLoader) alter(ctx context.Context) error {
	var statements []string
	if !l.made {
		statements = append(statements, "CREATE TABLE source ("+rowColumn+" BIGINT)")
	}
	for i := range l.columns {
		c := &l.columns[i]
		switch name := database.QuoteName(c.name); {
		case !c.inTable:
			statements = append(statements, "ALTER TABLE source ADD COLUMN "+name+" "+c.kind.String())
		case c.kind != c.stored:
			statements = append(statements, "ALTER TABLE source ALTER COLUMN "+name+" TYPE "+c.kind.String()+" USING "+c.converted())
		}
		c.stored, c.inTable = c.kind, true
	}
	if len(statements) == 0 {
		return nil
	}
	l.made = true
	return database.ExecAll(ctx, l.scratch.Conn, statements...)
}

// converted returns the SQL that converts the stored values to the new type.
func (c *jsonColumn) converted() string {
	switch {
	case c.stored == jsonNull:
		return "NULL"
	case c.kind == jsonAny:
		return "to_json(" + database.QuoteName(c.name) + ")"
	default:
		return "CAST(" + database.QuoteName(c.name) + " AS " + c.kind.String() + ")"
	}
}

// values converts the batch's values, whose JSON is in heap.
func (c *jsonColumn) values(heap []byte) (s database.Values, err error) {
	n := len(c.cells)
	switch c.kind {
	case jsonBoolean:
		s = database.Numbers(parsed(c.cells, heap, func(text string) uint8 { return uint8(len("false") - len(text)) }))
	case jsonBigInt:
		s = database.Numbers(parsed(c.cells, heap, func(text string) int64 { x, _ := strconv.ParseInt(text, 10, 64); return x }))
	case jsonDouble:
		s = database.Numbers(parsed(c.cells, heap, func(text string) float64 { x, _ := strconv.ParseFloat(text, 64); return x }))
	case jsonHugeInt:
		s = database.Numbers(parsed(c.cells, heap, parseHuge))
	default:
		s, err = c.texts(heap)
	}
	s.Nulls = make([]uint8, n)
	for i, at := range c.cells {
		if at.to == 0 {
			s.Nulls[i] = 1
		}
	}
	return s, err
}

// parsed parses the cells; an empty one is zero.
func parsed[T any](cells []cell, heap []byte, parse func(string) T) []T {
	values := make([]T, len(cells))
	for i, at := range cells {
		if at.to > 0 {
			values[i] = parse(unsafe.String(&heap[at.from], at.to-at.from)) // a view: parse retains nothing
		}
	}
	return values
}

// texts returns strings unquoted, or any values as their JSON.
func (c *jsonColumn) texts(heap []byte) (database.Values, error) {
	c.text.Reset()
	for _, at := range c.cells {
		text := heap[at.from:at.to]
		if c.kind == jsonText && at.to > 0 {
			text = text[1 : len(text)-1]
			if bytes.IndexByte(text, '\\') >= 0 {
				var plain string
				if err := json.Unmarshal(heap[at.from:at.to], &plain); err != nil {
					return database.Values{}, err
				}
				text = []byte(plain)
			}
		}
		c.text.AppendText(text)
	}
	return database.Vector(&c.text), nil
}
