package tabular

import (
	"bytes"
	"context"
	"fmt"
	"unicode/utf8"
)

// Documents calls fn with every document, on one line and not validated, or with its problem. The
// document is valid during the call.
func (in *Input) Documents(ctx context.Context, fn func(line int64, doc []byte, problem error) error) error {
	each := func(line int64, doc []byte, problem error) error {
		if problem == nil && !utf8.Valid(doc) {
			problem = in.encodingError()
		}
		return fn(line, doc, problem)
	}
	if in.Format == JSON {
		v := &values{w: in.w}
		return v.each(ctx, each)
	}
	return in.lines(ctx, each)
}

// lines calls fn with every line that is not blank.
func (in *Input) lines(ctx context.Context, fn func(line int64, doc []byte, problem error) error) error {
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		p, line := in.w.rest(), in.w.line
		var problem error
		switch size := in.w.lineEnd(p, 0); {
		case len(p) == 0 && in.w.end:
			return nil
		case size >= MaxRecord, size < 0 && len(p) >= MaxRecord:
			p, problem = nil, fmt.Errorf("is longer than %d bytes", MaxRecord)
			if err := in.w.skipLine(); err != nil {
				return fmt.Errorf("line %d: %w", line, err)
			}
		case size < 0:
			if _, err := in.w.more(); err != nil {
				return fmt.Errorf("line %d: %w", line, err)
			}
			continue
		default:
			in.w.skip(size)
			p = p[:size]
		}
		if doc := bytes.TrimSpace(p); len(doc) > 0 || problem != nil {
			if err := fn(line, doc, problem); err != nil {
				return err
			}
		}
	}
}

// values reads arrays of documents, or a sequence of documents.
type values struct {
	w     *window
	array int64 // the line that the open array begins on, 0 if none is open
	done  bool  // a value in the array was read: a comma or ] must follow
	comma bool  // a comma was read: a value must follow
}

func (v *values) each(ctx context.Context, fn func(line int64, doc []byte, problem error) error) error {
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if done, err := v.toValue(); done || err != nil {
			return err
		}
		line := v.w.line
		doc, err := v.value()
		if err != nil {
			return err
		}
		if err := fn(line, doc, nil); err != nil {
			return err
		}
	}
}

// toValue moves to the next value. done: there is none.
func (v *values) toValue() (done bool, err error) {
	for {
		space := func(p []byte) int { return len(p) - len(bytes.TrimLeft(p, " \t\r\n")) }
		if err := v.w.peek(1, func(p []byte) bool { v.w.skip(space(p)); return len(v.w.rest()) > 0 }); err != nil {
			return false, fmt.Errorf("line %d: %w", v.w.line, err)
		}
		p := v.w.rest()
		switch {
		case len(p) == 0 && !v.w.end:
			continue
		case len(p) == 0 && v.array > 0:
			return false, fmt.Errorf("line %d: the array that begins on line %d is not closed: the file is cut off", v.w.line, v.array)
		case len(p) == 0:
			return true, nil
		case v.array == 0 && p[0] == '[':
			v.array = v.w.line
		case v.array == 0:
			return false, nil
		case p[0] == ']' && !v.comma:
			v.array, v.done = 0, false
		case p[0] == ',' && v.done:
			v.done, v.comma = false, true
		case v.done:
			return false, fmt.Errorf("line %d: a comma or ] should follow a value of the array, found %q", v.w.line, p[0])
		default:
			v.done, v.comma = true, false
			return false, nil
		}
		v.w.skip(1)
	}
}

// value reads the next value and puts it on one line.
func (v *values) value() ([]byte, error) {
	line := v.w.line
	for {
		p := v.w.rest()
		size := valueEnd(p, v.w.end)
		if size > 0 {
			v.w.skip(size)
			oneLine(p[:size])
			return p[:size], nil
		}
		more, err := v.w.more()
		switch {
		case err != nil:
			return nil, fmt.Errorf("line %d: %w", line, err)
		case more:
		case !v.w.end:
			return nil, fmt.Errorf("line %d: the value that begins here is longer than %d bytes", line, MaxRecord)
		case size < 0:
			return nil, fmt.Errorf("line %d: the value that begins here is not closed: a bracket, a brace or a quote is missing", line)
		default:
			return nil, fmt.Errorf("line %d: a value should be here, found %q", line, p[0])
		}
	}
}

// valueEnd returns the length of the value at the start of p; -1 if it continues after p, 0 if there is
// none. It only matches brackets, braces and quotes; the value may be invalid JSON.
func valueEnd(p []byte, end bool) int {
	depth := 0
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth < 0 {
				return i
			}
		case '"':
			n := stringEnd(p[i:])
			if n < 0 {
				return -1
			}
			i += n - 1
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
			continue
		default:
			continue // a number or literal, which ends before the next delimiter
		}
		if depth == 0 {
			return i + 1
		}
	}
	if depth == 0 && end {
		return len(p)
	}
	return -1
}

// stringEnd returns the length of the string at the start of p, -1 if it isn't closed.
func stringEnd(p []byte) int {
	for i := 1; i < len(p); i++ {
		switch p[i] {
		case '"':
			return i + 1
		case '\\':
			i++
		}
	}
	return -1
}

// oneLine replaces the line breaks between a value's tokens by spaces.
func oneLine(p []byte) {
	if bytes.IndexByte(p, '\n') < 0 && bytes.IndexByte(p, '\r') < 0 {
		return
	}
	for i := 0; i < len(p); i++ {
		switch p[i] {
		case '\n', '\r':
			p[i] = ' '
		case '"':
			if n := stringEnd(p[i:]); n > 0 {
				i += n - 1
			}
		}
	}
}
