package warehouse

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/estela-dev/estela/services/internal/result"
)

// rowColumn is the column that tells where in the file a row comes from.
const rowColumn = "_row"

// documentColumn is a column of the mapping's result on its way into documents.
type documentColumn struct {
	label []byte // "name":
	time  bool   // text is a time, not JSON
}

// eachResult runs the mapping, or takes source as it is, and writes its rows as
// documents.
func (f *File) eachResult(ctx context.Context, fn func(Document) error) error {
	mapped := "source"
	if f.cfg.Mapping != "" {
		mapped = "mapped"
		if err := execAll(ctx, f.scratch.conn, "CREATE OR REPLACE VIEW mapped AS "+f.cfg.Mapping); err != nil {
			return fmt.Errorf("prepare mapping: %w", err)
		}
	}
	fields, err := f.scratch.columns(ctx, mapped)
	if err != nil {
		return fmt.Errorf("prepare mapping: %w", err)
	}
	rows, err := stream(ctx, f.scratch.raw, documentQuery(mapped, fields), nil)
	if err != nil {
		return fmt.Errorf("run mapping: %w", err)
	}
	defer rows.close()
	w := documentWriter{columns: documentColumns(fields), fn: fn}
	return rows.each(ctx, w.chunk)
}

// documentQuery turns every column into text: times by strftime, all else by
// to_json. The first column is the row number, NULL if there is none.
func documentQuery(from string, fields []field) string {
	line, columns := "NULL::BIGINT", ""
	for _, f := range fields {
		name := "m." + quoteName(f.name)
		switch {
		case f.name == rowColumn:
			line = name + "::BIGINT"
		case f.kind == "TIMESTAMP WITH TIME ZONE":
			columns += ", strftime(" + name + ", '%Y-%m-%dT%H:%M:%S.%fZ')"
		case strings.HasPrefix(f.kind, "TIMESTAMP"):
			columns += ", strftime(" + name + "::TIMESTAMP, '%Y-%m-%dT%H:%M:%S.%f')"
		default:
			columns += ", to_json(" + name + ")::VARCHAR"
		}
	}
	return "SELECT " + line + columns + " FROM " + from + " m"
}

func documentColumns(fields []field) []documentColumn {
	var columns []documentColumn
	for _, f := range fields {
		if f.name != rowColumn {
			label := append(appendJSONString(nil, []byte(f.name)), ':')
			columns = append(columns, documentColumn{label, strings.HasPrefix(f.kind, "TIMESTAMP")})
		}
	}
	return columns
}

// documentWriter writes chunks of documentQuery's answer.
type documentWriter struct {
	columns []documentColumn
	fn      func(Document) error
	rows    int64
	buf     []byte
}

func (w *documentWriter) chunk(chunk mapping.DataChunk, n int) error {
	lines := vectorOf(chunk, 0)
	texts := make([]result.Vector, len(w.columns))
	for c := range w.columns {
		texts[c] = vectorOf(chunk, c+1)
	}
	for i := range n {
		w.rows++
		line := w.rows
		if !lines.Null(i) {
			line = result.At[int64](lines, i)
		}
		if err := w.fn(Document{Line: line, JSON: w.row(texts, i)}); err != nil {
			return err
		}
	}
	return nil
}

func (w *documentWriter) row(texts []result.Vector, i int) []byte {
	w.buf = append(w.buf[:0], '{')
	for c := range w.columns {
		if texts[c].Null(i) {
			continue
		}
		text := texts[c].Bytes(i)
		if string(text) == "null" {
			continue
		}
		if len(w.buf) > 1 {
			w.buf = append(w.buf, ',')
		}
		w.buf = append(w.buf, w.columns[c].label...)
		if w.columns[c].time {
			w.buf = appendTime(w.buf, text)
		} else {
			w.buf = append(w.buf, text...)
		}
	}
	w.buf = append(w.buf, '}')
	return w.buf
}

// appendTime writes a time as a JSON string, without a fraction of zeros.
func appendTime(buf, text []byte) []byte {
	zone := ""
	if bytes.HasSuffix(text, []byte("Z")) {
		text, zone = text[:len(text)-1], "Z"
	}
	if bytes.IndexByte(text, '.') >= 0 {
		text = bytes.TrimRight(bytes.TrimRight(text, "0"), ".")
	}
	buf = append(append(buf, '"'), text...)
	return append(append(buf, zone...), '"')
}

const hexDigits = "0123456789abcdef"

// appendJSONString writes valid UTF-8 text as a JSON string.
func appendJSONString(buf, text []byte) []byte {
	buf = append(buf, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			buf = append(buf, '\\', c)
		case c < 0x20:
			buf = append(buf, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			buf = append(buf, c)
		}
	}
	return append(buf, '"')
}

func appendRow(buf []byte, line int64) []byte {
	buf = append(buf, `{"`+rowColumn+`":`...)
	return strconv.AppendInt(buf, line, 10)
}
