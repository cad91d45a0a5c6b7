package tabular

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// Format is a file format.
type Format string

// The formats.
const (
	Auto    Format = "auto" // by the file's name or its content
	CSV     Format = "csv"
	TSV     Format = "tsv"
	NDJSON  Format = "ndjson" // a document a line
	JSON    Format = "json"   // an array of documents, or documents one after another
	Parquet Format = "parquet"
)

// ParseFormat parses a format's name.
func ParseFormat(name string) (Format, error) {
	switch f := Format(strings.ToLower(name)); f {
	case Auto, CSV, TSV, NDJSON, JSON, Parquet:
		return f, nil
	case "jsonl":
		return NDJSON, nil
	default:
		return "", fmt.Errorf("unknown file format %q: use auto, csv, tsv, ndjson, json or parquet", name)
	}
}

// IsTable reports whether rows have fields of text.
func (f Format) IsTable() bool { return f == CSV || f == TSV }

// IsDocuments reports whether rows are JSON documents.
func (f Format) IsDocuments() bool { return f == NDJSON || f == JSON }

// ReadByDuckDB reports whether DuckDB reads the file, not this package.
func (f Format) ReadByDuckDB() bool { return f == Parquet }

// byName returns the format of a file's extension, Auto if unknown.
func byName(name string) Format {
	name = strings.ToLower(name)
	for _, packed := range []string{".gz", ".gzip", ".zst", ".zstd"} {
		name = strings.TrimSuffix(name, packed)
	}
	switch filepath.Ext(name) {
	case ".csv":
		return CSV
	case ".tsv", ".tab":
		return TSV
	case ".ndjson", ".jsonl", ".ldjson":
		return NDJSON
	case ".json":
		return JSON
	case ".parquet", ".pq":
		return Parquet
	default:
		return Auto
	}
}

// detectBytes bounds what is read to detect a format.
const detectBytes = 64 << 10

// detect returns the format of a text: the expected one, if the content agrees. asked: the user named
// it.
func (in *Input) detect(expected Format, asked bool) (Format, error) {
	const few = 4 // bytes that UTF-16 has a zero among
	blank := func(p []byte) int { return len(p) - len(bytes.TrimLeft(p, " \t\r\n")) }
	err := in.w.peek(MaxRecord, func(p []byte) bool {
		return blank(p) < len(p) && (len(p) >= few || bytes.IndexByte(p, '\n') >= 0)
	})
	start := in.w.rest()
	first, _, _ := bytes.Cut(start[:min(len(start), few)], []byte("\n"))
	at := blank(start)
	switch {
	case err != nil:
		return "", err
	case bytes.IndexByte(first, 0) >= 0:
		return "", errors.New("it is no text that can be read: if it is UTF-16, give --encoding utf-16le or utf-16be")
	case at == len(start):
		return expected, nil // there are no rows
	case asked && (expected.IsTable() || expected == NDJSON):
		return expected, nil
	case start[at] == '[' || start[at] == '{':
		return in.detectJSON(at, expected)
	case expected.IsDocuments() && !asked && in.columns() > 1:
		return CSV, nil
	case expected != Auto:
		return expected, nil
	case in.columns() > 0:
		return CSV, nil
	}
	return NDJSON, nil
}

var newline = []byte{'\n'}

// detectJSON distinguishes NDJSON, JSON, and a header that begins like either.
func (in *Input) detectJSON(at int, expected Format) (Format, error) {
	other := expected
	if expected == Auto {
		other = NDJSON
	}
	var first json.RawMessage
	var state error
	var end int
	err := in.w.peek(detectBytes, func(p []byte) bool {
		if p[at] == '[' {
			return len(bytes.TrimLeft(p[at+1:], " \t\r\n")) > 0
		}
		d := json.NewDecoder(bytes.NewReader(p[at:]))
		state = d.Decode(&first)
		end = at + int(d.InputOffset())
		after := bytes.TrimLeft(p[min(end, len(p)):], " \t")
		return state == nil && len(after) > 0 && string(after) != "\r" || state != nil && !errors.Is(state, io.ErrUnexpectedEOF)
	})
	p := in.w.rest()
	switch {
	case err != nil:
		return "", err
	case p[at] == '[':
		inner := bytes.TrimLeft(p[at+1:], " \t\r\n")
		if expected.IsTable() && (len(inner) == 0 || inner[0] != '{' && inner[0] != ']') {
			return expected, nil
		}
		return JSON, nil
	case state == nil:
		return in.ndjsonOrJSON(first, bytes.TrimLeft(p[end:], " \t")), nil
	case errors.Is(state, io.ErrUnexpectedEOF) && !expected.IsTable() && bytes.IndexByte(p, '\n') >= 0:
		_, after, _ := bytes.Cut(p[at:], newline)
		if second, _, ended := bytes.Cut(after, newline); ended && bytes.HasPrefix(second, []byte("{")) && json.Valid(second) {
			return NDJSON, nil // its first line is invalid
		}
		return JSON, nil
	}
	return other, nil
}

// ndjsonOrJSON returns NDJSON if the first document is alone on its line.
func (in *Input) ndjsonOrJSON(first, after []byte) Format {
	alone := len(after) == 0 || after[0] != '{' && after[0] != '\r'
	if len(after) > 0 && after[0] == '\r' {
		alone = len(after) > 1 && after[1] == '\n'
		in.w.returns = !alone
	}
	if alone && !bytes.ContainsAny(first, "\r\n") {
		return NDJSON
	}
	return JSON
}

// columns returns the number of columns if the first line can be a header of CSV: 0 if it looks like
// JSON, or if a document follows.
func (in *Input) columns() int {
	t := &Table{w: in.w, in: in}
	header, _ := t.peekHeader() // invalid names count, too
	if header == nil || strings.ContainsAny(strings.Join(header, ""), "{}[]:") || len(header) == 1 && strings.Contains(header[0], " ") {
		return 0
	}
	size, _ := t.scan(in.w.rest(), in.w.end)
	err := in.w.peek(size+detectBytes, func(p []byte) bool { return len(bytes.TrimLeft(p[size:], " \t\r\n")) > 0 })
	next := bytes.TrimLeft(in.w.rest()[size:], " \t\r\n")
	if err != nil || len(next) > 0 && next[0] == '{' {
		return 0
	}
	return len(header)
}
