package importer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/estela-dev/estela/services/internal/database"
)

// viewParquet creates source as a view of a Parquet file, without Hive partitioning: folders named
// NAME=VALUE are no columns.
func (f *File) viewParquet(ctx context.Context) error {
	path, err := f.parquetPath()
	if err != nil {
		return err
	}
	if f.columns, err = parquetColumns(ctx, f.scratch.Conn, path); err != nil {
		return err
	}
	texts, err := textColumns(ctx, f.scratch.Conn, path)
	if err != nil {
		return err
	}
	return database.ExecAll(ctx, f.scratch.Conn, "CREATE VIEW source AS SELECT file_row_number + 1 AS _row, * EXCLUDE (file_row_number)"+texts+
		" FROM read_parquet("+database.QuoteText(path)+", hive_partitioning = false, file_row_number = true)")
}

// textColumns returns the SQL that decodes BLOB columns with only UTF-8 values to VARCHAR: a cast in the
// mapping would write escapes.
func textColumns(ctx context.Context, conn *database.Conn, path string) (string, error) {
	blobs, err := database.Collect(ctx, conn, database.Scan[string], fmt.Sprintf(
		"SELECT column_name FROM (DESCRIBE FROM read_parquet(%s, hive_partitioning = false)) WHERE column_type = 'BLOB'", database.QuoteText(path)))
	if err != nil {
		return "", err
	}
	var texts []string
	for _, name := range blobs {
		name = database.QuoteName(name)
		var other bool
		query := "SELECT count(*) > 0 FROM read_parquet($1, hive_partitioning = false) WHERE " + name + " IS NOT NULL AND TRY(decode(" + name + ")) IS NULL"
		if err := conn.QueryRowContext(ctx, query, path).Scan(&other); err != nil {
			return "", err
		}
		if !other {
			texts = append(texts, "decode("+name+") AS "+name)
		}
	}
	if len(texts) == 0 {
		return "", nil
	}
	return " REPLACE (" + strings.Join(texts, ", ") + ")", nil
}

// parquetPath links or copies the file to a path without glob characters, for DuckDB.
func (f *File) parquetPath() (string, error) {
	path := filepath.Join(f.scratch.Dir, "input.parquet")
	if f.opened != nil && f.in.Plain {
		if info, err := f.opened.Stat(); err == nil && info.Mode().IsRegular() {
			full, err := filepath.Abs(f.cfg.Path)
			if err != nil {
				return "", err
			}
			return path, os.Symlink(full, path)
		}
	}
	return path, spool(path, f.in)
}

func spool(path string, in io.Reader) error {
	out, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("spool input: %w", err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		return fmt.Errorf("spool input: %w", err)
	}
	return nil
}

// parquetColumns returns the columns of a Parquet file, if they can be those of source. They are read
// from its schema, because DuckDB renames columns with the same folded name.
func parquetColumns(ctx context.Context, conn *database.Conn, path string) ([]string, error) {
	rows, err := conn.QueryContext(ctx, "SELECT name, coalesce(num_children, 0) FROM parquet_schema($1)", path)
	if err != nil && strings.Contains(err.Error(), "No magic bytes found at end") {
		return nil, errors.New("it is a Parquet file and cut off or damaged: its end is missing")
	} else if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	inside := -1 // how many elements of the schema belong to the column before; the first is the root
	for rows.Next() {
		var name string
		var children int
		if err := rows.Scan(&name, &children); err != nil {
			return nil, err
		}
		switch {
		case inside < 0:
			inside = 0
			continue
		case inside == 0:
			names = append(names, name)
		default:
			inside--
		}
		inside += children
	}
	return names, errors.Join(rows.Err(), checkColumns(names))
}

// CopyParquet writes the rows of those numbers of a Parquet file that was opened without a mapping to a
// new Parquet file, in their order.
func (f *File) CopyParquet(ctx context.Context, to string, rows []int64) error {
	list := make([]string, len(rows))
	for i, row := range rows {
		list[i] = strconv.FormatInt(row, 10)
	}
	err := database.ExecAll(ctx, f.scratch.Conn, "COPY (SELECT * EXCLUDE (_row) FROM source WHERE _row IN ("+strings.Join(list, ", ")+") ORDER BY _row) TO "+
		database.QuoteText(to)+" (FORMAT parquet, COMPRESSION zstd)")
	if err != nil {
		return fmt.Errorf("copy rows of %s: %w", f.name(), f.hidePaths(err))
	}
	return nil
}

// Columns returns the names of the columns that the file declares, none for JSON, and the SQL types of
// those of Parquet. It is called before Each, of a file that is opened again for that.
func (f *File) Columns(ctx context.Context) (names []string, types map[string]string, err error) {
	types = map[string]string{}
	if f.in.Format.IsTable() {
		t, err := f.in.Table()
		if err != nil {
			return nil, nil, fmt.Errorf("read %s: %w", f.name(), err)
		}
		return t.Header, types, nil
	}
	if !f.in.Format.ReadByDuckDB() {
		return nil, types, nil
	}
	rows, err := f.scratch.Conn.QueryContext(ctx, "SELECT column_name, column_type FROM (DESCRIBE FROM source) WHERE column_name <> '"+rowColumn+"'")
	if err != nil {
		return nil, nil, fmt.Errorf("describe %s: %w", f.name(), f.hidePaths(err))
	}
	defer rows.Close()
	for rows.Next() {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			return nil, nil, fmt.Errorf("describe %s: %w", f.name(), err)
		}
		names, types[name] = append(names, name), kind
	}
	return names, types, rows.Err()
}
