package tabular

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"unicode/utf8"
)

// Field is a field of a record. It is valid until the next record.
type Field struct {
	Text   []byte
	Quoted bool
}

// Absent reports whether there is no value.
func (f Field) Absent() bool { return len(f.Text) == 0 && !f.Quoted }

// Table reads CSV or TSV.
type Table struct {
	// Header are the names of the columns.
	Header []string

	w       *window
	in      *Input
	comma   byte
	special [256]bool // bytes that can end an unquoted field
	fields  []Field
	text    []byte // of fields with doubled quotes
	record  []byte // current one of Each
}

// Table reads the header.
func (in *Input) Table() (*Table, error) {
	t := &Table{w: in.w, in: in, comma: in.comma}
	if in.Format == TSV {
		t.comma = '\t'
	}
	header, err := t.peekHeader()
	if err != nil {
		return nil, err
	}
	if header == nil {
		return nil, errors.New("it is empty: it should begin with a header that names the columns")
	}
	t.Header = header
	n, _ := t.scan(t.w.rest(), t.w.end)
	t.w.skip(n)
	return t, nil
}

// peekHeader reads the header without consuming it: nil if there is none.
func (t *Table) peekHeader() ([]string, error) {
	end, err := t.headerEnd()
	if err != nil {
		return nil, err
	}
	line := t.w.rest()[:end]
	if end == 0 {
		return nil, nil
	}
	if sep, ok := bytes.CutPrefix(line, []byte("sep=")); ok && len(bytes.TrimSpace(sep)) == 1 && t.comma == 0 {
		t.comma, t.in.comma = sep[0], sep[0] // Excel's convention
		t.w.skip(end)
		return t.peekHeader()
	}
	if t.comma == 0 {
		t.comma = detectSeparator(line)
	}
	t.special = [256]bool{'\n': true, '\r': true, '"': true}
	t.special[t.comma] = true
	if _, err := t.scan(line, true); err != nil {
		return nil, fmt.Errorf("line %d: header: %w", t.w.line, err)
	}
	names := make([]string, len(t.fields))
	for i, f := range t.fields {
		names[i] = string(f.Text)
	}
	return names, t.checkHeader(names)
}

func (t *Table) checkHeader(names []string) error {
	seen := map[string]int{}
	for i, name := range names {
		before, twice := seen[name]
		switch {
		case name == "":
			return fmt.Errorf("line %d: column %d of the header has no name: give it one, or delete the column", t.w.line, i+1)
		case !utf8.ValidString(name):
			return fmt.Errorf("line %d: column %d of the header: %w", t.w.line, i+1, t.in.encodingError())
		case twice:
			return fmt.Errorf("line %d: the header names %q twice, columns %d and %d: rename one", t.w.line, name, before, i+1)
		}
		seen[name] = i + 1
	}
	return nil
}

// headerEnd skips blank lines and returns the length of the next line, with its end. It detects how
// lines end.
func (t *Table) headerEnd() (end int, err error) {
	var blank int
	err = t.w.peek(MaxRecord, func(p []byte) bool {
		for blank = 0; blank < len(p) && (p[blank] == '\n' || p[blank] == '\r'); blank++ {
		}
		quoted := false
		for end = blank; end < len(p); end++ {
			switch {
			case p[end] == '"':
				quoted = !quoted
			case quoted:
			case p[end] == '\n':
				end++
				return true
			case p[end] == '\r' && end+1 < len(p):
				t.w.returns = p[end+1] != '\n'
				end++
				return true
			}
		}
		return false
	})
	if end < len(t.w.rest()) && t.w.rest()[end] == '\n' && !t.w.returns && t.w.rest()[end-1] == '\r' {
		end++
	}
	t.w.skip(blank)
	return end - blank, err
}

// detectSeparator returns the separator that is most frequent in the header outside of quotes.
func detectSeparator(header []byte) byte {
	var counts [256]int
	quoted := false
	for _, c := range header {
		if c == '"' {
			quoted = !quoted
		} else if !quoted {
			counts[c]++
		}
	}
	best := byte(',')
	for _, c := range []byte(";\t|") {
		if counts[c] > counts[best] {
			best = c
		}
	}
	return best
}

// Each calls fn with every record after the header, or with its problem.
func (t *Table) Each(ctx context.Context, fn func(line int64, record []Field, problem error) error) error {
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		t.skipBlank()
		p, line := t.w.rest(), t.w.line
		size, problem := t.scan(p, t.w.end)
		if size == 0 {
			more, err := t.w.more()
			switch {
			case err != nil:
				return fmt.Errorf("line %d: %w", line, err)
			case more:
				continue
			case len(p) == 0:
				return nil
			}
			if err := t.tooLong(line, fn); err != nil {
				return err
			}
			continue
		}
		if problem == nil {
			problem = t.fault(p[:size])
		}
		t.record = p[:size]
		t.w.skip(size)
		if err := fn(line, t.fields, problem); err != nil {
			return err
		}
	}
}

// Text returns the current record of Each as it is in the file, without the line's end; nil if it is
// too long. It is valid until the next record.
func (t *Table) Text() []byte { return bytes.TrimRight(t.record, "\r\n") }

// tooLong skips the rest of the line of a record that is too long, and reports it to fn.
func (t *Table) tooLong(line int64, fn func(line int64, record []Field, problem error) error) error {
	if err := t.w.skipLine(); err != nil {
		return fmt.Errorf("line %d: %w", line, err)
	}
	t.record = nil
	return fn(line, nil, fmt.Errorf("is longer than %d bytes: is there a quote that is not closed?", MaxRecord))
}

// skipBlank skips empty lines.
func (t *Table) skipBlank() {
	p := t.w.rest()
	n := 0
	for n < len(p) && (p[n] == '\n' || p[n] == '\r' && (t.w.returns || n+1 < len(p) && p[n+1] == '\n' || n+1 == len(p) && t.w.end)) {
		n++
	}
	t.w.skip(n)
}

// fault validates a record that was parsed.
func (t *Table) fault(record []byte) error {
	if n := len(t.fields); n != len(t.Header) {
		hint := ""
		if n > len(t.Header) {
			hint = fmt.Sprintf(": a field with a %s in it must be in quotes", t.separator())
		}
		return fmt.Errorf("has %d fields, the header has %d%s", n, len(t.Header), hint)
	}
	if utf8.Valid(record) {
		return nil
	}
	for i, f := range t.fields {
		if !utf8.Valid(f.Text) {
			return fmt.Errorf("column %s: %w", t.Header[i], t.in.encodingError())
		}
	}
	return nil
}

func (t *Table) separator() string {
	switch t.comma {
	case ';':
		return "semicolon"
	case '\t':
		return "tab"
	case '|':
		return "bar"
	default:
		return "comma"
	}
}

// scan parses the record at the start of p into t.fields and returns its length, with the line's end;
// 0 if it continues after p.
func (t *Table) scan(p []byte, end bool) (size int, problem error) {
	t.fields, t.text = t.fields[:0], t.text[:0]
	for i := 0; ; i++ {
		var f Field
		if i < len(p) && p[i] == '"' {
			f, i, problem = t.quoted(p, i, end)
		} else {
			f, i, problem = t.unquoted(p, i, end)
		}
		switch {
		case problem != nil:
			return max(0, t.w.lineEnd(p, i)), problem
		case i < 0, i == len(p) && !end:
			return 0, nil
		}
		t.fields = append(t.fields, f)
		switch {
		case i == len(p):
			return i, nil
		case p[i] == t.comma:
		case p[i] == '\r' && i+1 < len(p) && p[i+1] == '\n':
			return i + 2, nil
		default:
			return i + 1, nil
		}
	}
}

// unquoted reads a field without quotes. It returns the index of its end, -1 if that is after p.
func (t *Table) unquoted(p []byte, i int, end bool) (f Field, at int, problem error) {
	for at = i; at < len(p); at++ {
		if !t.special[p[at]] {
			continue
		}
		if p[at] == '"' {
			return f, at, fmt.Errorf("has a quote inside field %d: put the field in quotes and write the quote twice", len(t.fields)+1)
		}
		if p[at] != '\r' || t.endsLine(p, at, end) {
			break
		}
		if at+1 == len(p) {
			return f, -1, nil
		}
	}
	return Field{Text: p[i:at]}, at, nil
}

// endsLine reports whether the carriage return ends a line.
func (t *Table) endsLine(p []byte, at int, end bool) bool {
	if at+1 == len(p) {
		return end
	}
	return t.w.returns || p[at+1] == '\n'
}

// quoted reads a field in quotes, like unquoted.
func (t *Table) quoted(p []byte, i int, end bool) (f Field, at int, problem error) {
	from := i + 1
	copied := -1 // offset of the field in text, once it has a quote
	for at = from; ; at++ {
		for at < len(p) && p[at] != '"' {
			at++
		}
		if at+1 >= len(p) && !end {
			return f, -1, nil
		}
		if at >= len(p) {
			return f, 0, fmt.Errorf("has a quote before field %d that is never closed", len(t.fields)+1)
		}
		if at+1 == len(p) || p[at+1] != '"' {
			break
		}
		if copied < 0 {
			copied = len(t.text)
		}
		at++
		t.text = append(t.text, p[from:at]...)
		from = at + 1
	}
	f = Field{Text: p[from:at], Quoted: true}
	if copied >= 0 {
		t.text = append(t.text, p[from:at]...)
		f.Text = t.text[copied:]
	}
	at++
	switch {
	case at == len(p), p[at] == t.comma, p[at] == '\n':
	case p[at] == '\r' && at+1 == len(p) && !end:
		return f, -1, nil
	case p[at] == '\r' && t.endsLine(p, at, end):
	default:
		problem = fmt.Errorf("has text after the quotes of field %d: write a quote inside of quotes twice", len(t.fields)+1)
	}
	return f, at, problem
}
