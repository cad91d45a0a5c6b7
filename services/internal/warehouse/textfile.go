package warehouse

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/estela-dev/estela/services/internal/contract"
)

var byteOrderMark = []byte("\xef\xbb\xbf")

// eachLine calls fn with every line that is not blank, numbered from 1. A line
// that is too long comes as a problem.
func eachLine(ctx context.Context, in io.Reader, fn func(line int64, text []byte, problem error) error) error {
	r := bufio.NewReaderSize(in, 1<<20)
	var buf []byte
	for line := int64(1); ; line++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		text, problem, last, err := readLine(r, buf[:0])
		if err != nil {
			return err
		}
		buf = text
		if line == 1 {
			text = bytes.TrimPrefix(text, byteOrderMark)
		}
		if text = bytes.TrimSpace(text); len(text) > 0 || problem != nil {
			if err := fn(line, text, problem); err != nil {
				return err
			}
		}
		if last {
			return nil
		}
	}
}

// readLine appends a line to buf. What is beyond maxLine is passed over. Last:
// the input ends here.
func readLine(r *bufio.Reader, buf []byte) (text []byte, problem error, last bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if len(buf)+len(part) > maxLine {
			problem = fmt.Errorf("the line is longer than %d bytes", maxLine)
			buf = buf[:0]
		} else if problem == nil {
			buf = append(buf, part...)
		}
		switch {
		case errors.Is(err, io.EOF):
			return buf, problem, true, nil
		case !errors.Is(err, bufio.ErrBufferFull):
			return buf, problem, false, err
		}
	}
}

// loadNDJSON puts the lines that are JSON objects into source, each with its
// line number as _row.
func (f *File) loadNDJSON(ctx context.Context, fn func(Document) error) error {
	path := filepath.Join(f.scratch.dir, "input.ndjson")
	out, err := os.Create(path)
	if err != nil {
		return fmt.Errorf("spool input: %w", err)
	}
	w := bufio.NewWriterSize(out, 1<<20)
	err = eachLine(ctx, f.in, func(line int64, text []byte, problem error) error {
		if problem == nil && (text[0] != '{' || !json.Valid(text)) {
			problem = errors.New("not a JSON object")
		}
		if problem != nil {
			return fn(Document{Line: line, Problem: problem})
		}
		_, err := w.Write(numbered(line, text))
		return err
	})
	if err := errors.Join(err, w.Flush(), out.Close()); err != nil {
		return err
	}
	return execAll(ctx, f.scratch.conn, fmt.Sprintf(
		"CREATE VIEW source AS FROM read_ndjson(%s, sample_size = -1, maximum_object_size = %d)", quoteText(path), 2*maxLine))
}

// numbered is the object with the member _row before the others, and a newline.
func numbered(line int64, object []byte) []byte {
	buf := appendRow(nil, line)
	rest := bytes.TrimSpace(object[1:])
	if rest[0] != '}' {
		buf = append(buf, ',')
	}
	return append(append(buf, rest...), '\n')
}

// csvRow is called with each record after the header, or its problem.
type csvRow func(header []string, line int64, record []string, problem error) error

// eachCSV reads a CSV file with a header.
func eachCSV(ctx context.Context, in io.Reader, fn csvRow) error {
	r, err := newCSVReader(in)
	if err != nil {
		return err
	}
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return errors.New("it is empty: a CSV file begins with a header")
	}
	if err != nil {
		return fmt.Errorf("read header: %w", err)
	}
	header = append([]string(nil), header...)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		line, problem, err := csvOutcome(r, header, record, err)
		if err == nil {
			err = fn(header, line, record, problem)
		}
		if err != nil {
			return err
		}
	}
}

// csvOutcome tells the record's line and what is wrong with it; err is a fault
// of reading.
func csvOutcome(r *csv.Reader, header, record []string, readErr error) (line int64, problem, err error) {
	var parse *csv.ParseError
	switch {
	case errors.Is(readErr, csv.ErrFieldCount):
		errors.As(readErr, &parse)
		return int64(parse.StartLine), fmt.Errorf("it has %d columns, the header %d", len(record), len(header)), nil
	case errors.As(readErr, &parse) && parse.Line > parse.StartLine:
		return int64(parse.StartLine), fmt.Errorf("lines %d to %d: %w", parse.StartLine, parse.Line, parse.Err), nil
	case errors.As(readErr, &parse):
		return int64(parse.StartLine), fmt.Errorf("byte %d of the line: %w", parse.Column, parse.Err), nil
	case readErr != nil:
		return 0, nil, readErr
	}
	at, _ := r.FieldPos(0)
	for i, text := range record {
		if !utf8.ValidString(text) {
			return int64(at), fmt.Errorf("column %s: not valid UTF-8", header[i]), nil
		}
	}
	return int64(at), nil, nil
}

// newCSVReader finds the delimiter: of those that are common, the one that the
// header has most of.
func newCSVReader(in io.Reader) (*csv.Reader, error) {
	buffered := bufio.NewReaderSize(in, 1<<20)
	start, err := buffered.Peek(64 << 10)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if bytes.HasPrefix(start, byteOrderMark) {
		if _, err := buffered.Discard(len(byteOrderMark)); err != nil {
			return nil, err
		}
	}
	header, _, _ := strings.Cut(string(start), "\n")
	r := csv.NewReader(buffered)
	r.ReuseRecord = true
	for _, c := range ",;\t|" {
		if strings.Count(header, string(c)) > strings.Count(header, string(r.Comma)) {
			r.Comma = c
		}
	}
	return r, nil
}

// documentsOf makes documents of CSV records.
func documentsOf(types map[string]contract.Type, fn func(Document) error) csvRow {
	var labels [][]byte
	var buf []byte
	return func(header []string, line int64, record []string, problem error) error {
		if problem != nil {
			return fn(Document{Line: line, Problem: problem})
		}
		if labels == nil {
			for _, name := range header {
				labels = append(labels, append(appendJSONString(nil, []byte(name)), ':'))
			}
		}
		buf = append(buf[:0], '{')
		for i, text := range record {
			if text == "" {
				continue
			}
			if len(buf) > 1 {
				buf = append(buf, ',')
			}
			kind, known := types[header[i]]
			buf = appendValue(append(buf, labels[i]...), text, kind, known)
		}
		buf = append(buf, '}')
		return fn(Document{Line: line, JSON: buf})
	}
}

// appendValue writes a CSV value as JSON. What does not read as its type stays a
// string, so that the contract's decoder says what is wrong with it.
func appendValue(buf []byte, text string, kind contract.Type, known bool) []byte {
	literal := isLiteral(text)
	if known {
		literal = literal && !isText(kind) || kind == contract.JSON && json.Valid([]byte(text))
	}
	if !literal {
		return appendJSONString(buf, []byte(text))
	}
	return append(buf, text...)
}

// isText reports whether values of the type are strings in JSON.
func isText(kind contract.Type) bool {
	switch kind {
	case contract.Varchar, contract.Date, contract.TimestampTZ, contract.UUID:
		return true
	default:
		return false
	}
}

// isLiteral reports whether the text is a JSON number, true or false.
func isLiteral(text string) bool {
	if text == "true" || text == "false" {
		return true
	}
	return strings.IndexByte("-0123456789", text[0]) >= 0 && json.Valid([]byte(text))
}

// loadCSV puts the rows into source, all columns VARCHAR.
func (f *File) loadCSV(ctx context.Context, fn func(Document) error) error {
	var l *csvLoader
	err := eachCSV(ctx, f.in, func(header []string, line int64, record []string, problem error) (err error) {
		if problem != nil {
			return fn(Document{Line: line, Problem: problem})
		}
		if l == nil {
			if l, err = newCSVLoader(ctx, f.scratch, header); err != nil {
				return err
			}
		}
		return l.add(line, record)
	})
	if l == nil {
		if err == nil {
			err = errors.New("it has no rows")
		}
		return err
	}
	defer l.appender.close()
	if err != nil {
		return err
	}
	return l.flush()
}

// csvLoader appends records in batches.
type csvLoader struct {
	appender *appender
	lines    []int64
	columns  []stringColumn
	nulls    [][]uint8
}

// loadBatch is the number of records in a batch.
const loadBatch = 8 * vectorSize

func newCSVLoader(ctx context.Context, s *scratch, header []string) (*csvLoader, error) {
	fields := []field{{rowColumn, "BIGINT"}}
	for _, name := range header {
		fields = append(fields, field{name, "VARCHAR"})
	}
	if err := execAll(ctx, s.conn, "CREATE TABLE source "+columnList(fields)); err != nil {
		return nil, err
	}
	a, err := newAppender(s.raw, table{"scratch", "main", "source"})
	if err != nil {
		return nil, err
	}
	return &csvLoader{appender: a, columns: make([]stringColumn, len(header)), nulls: make([][]uint8, len(header))}, nil
}

func (l *csvLoader) add(line int64, record []string) error {
	l.lines = append(l.lines, line)
	for i, text := range record {
		l.columns[i].add([]byte(text))
		null := uint8(0)
		if text == "" {
			null = 1
		}
		l.nulls[i] = append(l.nulls[i], null)
	}
	if len(l.lines) < loadBatch {
		return nil
	}
	return l.flush()
}

func (l *csvLoader) flush() error {
	sources := []source{numbers(l.lines)}
	for i := range l.columns {
		s := l.columns[i].source()
		s.nulls = l.nulls[i]
		sources = append(sources, s)
	}
	if err := l.appender.append(len(l.lines), sources); err != nil {
		return err
	}
	l.lines = l.lines[:0]
	for i := range l.columns {
		l.columns[i].reset()
		l.nulls[i] = l.nulls[i][:0]
	}
	return nil
}
