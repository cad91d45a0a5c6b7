package importer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/jsontext"
)

// rowColumn is the column with the row's number in the file.
const rowColumn = "_row"

// eachResult runs the mapping, by default FROM source, and writes its rows as documents.
func (f *File) eachResult(ctx context.Context, fn func(Document) error) error {
	query := f.cfg.Mapping
	if query == "" {
		query = "FROM source"
	}
	q, err := f.scratch.Conn.Prepare(query)
	if err != nil && unprepared.MatchString(err.Error()) {
		return f.errNotOneSelect()
	} else if err != nil {
		return f.mappingError(ctx, err)
	}
	defer q.Close()
	if !q.IsSelect() {
		return f.errNotOneSelect()
	}
	if err := q.Run(ctx, nil); err != nil {
		return f.mappingError(ctx, err)
	}
	w, err := f.newDocumentWriter(q, fn)
	if err != nil {
		return err
	}
	for {
		chunk, err := q.Next()
		if err != nil {
			return f.mappingError(ctx, err)
		}
		if chunk == nil {
			return nil
		}
		if err := w.chunk(chunk); err != nil {
			return err
		}
	}
}

// unprepared matches DuckDB's errors about no statement or several.
var unprepared = regexp.MustCompile(`No statement to prepare|multiple statements`)

// errNotOneSelect returns the error of a mapping that is not one query.
func (f *File) errNotOneSelect() error { return fmt.Errorf("%s: must be one SELECT", f.mappingName()) }

func (f *File) mappingName() string {
	if f.cfg.MappingName != "" {
		return f.cfg.MappingName
	}
	return "the mapping"
}

// newDocumentWriter returns a writer of the query's result.
func (f *File) newDocumentWriter(q *database.Query, fn func(Document) error) (*documentWriter, error) {
	w := &documentWriter{fn: fn, line: -1}
	types := q.Types()
	var names []string
	seen := map[string]bool{}
	for i, name := range q.Names() {
		if name == rowColumn {
			if !isInteger(types[i].Kind) {
				return nil, fmt.Errorf("%s: its column _row must be that of source, an integer", f.mappingName())
			}
			w.line, w.lineKind = i, types[i].Kind
			continue
		}
		if seen[name] {
			return nil, fmt.Errorf("%s: gives the column %q twice", f.mappingName(), name)
		}
		seen[name] = true
		names = append(names, name)
		shape, _ := f.cfg.Shape.Member(name)
		if f.isIgnored(name) {
			continue
		}
		b := writerBuilder{texts: f.in.Format.IsTable()}
		write, err := b.of(&types[i], shape, "column "+name)
		if err != nil {
			return nil, err
		}
		w.columns = append(w.columns, documentColumn{
			at: i, label: append(jsontext.AppendString(nil, []byte(name)), ':'), write: write, null: f.cfg.Shape.NeedsNull(name),
		})
	}
	f.warnUnknown(names)
	return w, nil
}

// parts matches DuckDB's message: its kind, its text, and the line of the query shown below it.
var parts = regexp.MustCompile(`(?s)^(?:([A-Za-z ]+) Error: )?(.*?)(?:\n\nLINE (\d+): .*)?$`)

// ownTables matches a suggestion of DuckDB's system tables.
var ownTables = regexp.MustCompile(`Did you mean "(pg_|duckdb_|sqlite_|information_schema|main\.)[^?]*\?`)

// mappingError rewrites DuckDB's error about the mapping: file, line, and a hint.
func (f *File) mappingError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if f.cfg.Mapping == "" {
		return err
	}
	p := parts.FindStringSubmatch(err.Error())
	text := f.mappingName()
	if strings.HasPrefix(p[2], "Could not parse string") {
		p[2] += " (try_strptime in the place of strptime gives NULL there, and only that row is refused)"
	}
	if p[3] != "" {
		text += ", line " + p[3]
	}
	text += ": " + strings.Join(strings.Fields(ownTables.ReplaceAllString(p[2], "")), " ")
	switch p[1] {
	case "Binder", "Catalog":
		text += fmt.Sprintf("; source has the columns %s", quoted(append([]string{rowColumn}, f.columns...)))
		if tables := slices.Sorted(maps.Keys(f.cfg.References)); len(tables) > 0 {
			text += ", and there are the reference tables " + quoted(tables)
		}
	case "Conversion", "Out of Range":
		text += f.rowOfValue(ctx, p[2]) + "; TRY_CAST in the place of CAST gives NULL there, and only that row is refused"
	}
	return errors.New(text)
}

// cast matches DuckDB's error about a value that it could not convert.
var cast = regexp.MustCompile(`(?s)[Cc]ould not convert string ['"](.*)['"] to .* source column (\w+)`)

// rowOfValue returns the row of the value that could not be converted, if the message has it in full.
func (f *File) rowOfValue(ctx context.Context, message string) string {
	p := cast.FindStringSubmatch(message)
	if p == nil {
		return ""
	}
	var row int64
	query := "SELECT min(_row) FROM source WHERE CAST(" + database.QuoteName(p[2]) + " AS VARCHAR) = $1"
	if err := f.scratch.Conn.QueryRowContext(ctx, query, p[1]).Scan(&row); err != nil {
		return ""
	}
	return fmt.Sprintf(" (row %d)", row)
}

// hidePaths replaces temporary paths in an error by the file's name.
func (f *File) hidePaths(err error) error {
	if f.scratch == nil || !strings.Contains(err.Error(), f.scratch.Dir) {
		return err
	}
	text := strings.ReplaceAll(err.Error(), f.scratch.Dir+"/input.parquet", f.name())
	return errors.New(strings.ReplaceAll(text, f.scratch.Dir, "the temporary directory"))
}

// isInteger reports whether values of the kind are integers.
func isInteger(kind column.Kind) bool {
	switch kind {
	case column.TinyInt, column.SmallInt, column.Integer, column.BigInt, column.HugeInt,
		column.UTinyInt, column.USmallInt, column.UInteger, column.UBigInt:
		return true
	default:
		return false
	}
}
