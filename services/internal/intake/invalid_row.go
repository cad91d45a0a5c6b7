package intake

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/importer"
)

const (
	// maxRowNumbers is how many row numbers are listed of a reason.
	maxRowNumbers = 3
	// maxReasons bounds the reasons that are counted separately.
	maxReasons = 100
)

// InvalidRows counts the invalid rows of a file by reason and, with --errors, writes them to a file.
type InvalidRows struct {
	// Rows is their number.
	Rows int64

	reasons map[string]*reason
	file    *os.File // nil without --errors
	out     *bufio.Writer
	raw     bool // a row could not be written as an event
	written bool // the input looks like a file of --errors
}

// reason is why rows are invalid.
type reason struct {
	text   string // the first row's
	varied bool   // other rows differ in its values
	count  int64
	first  [maxRowNumbers]int64
	last   int64 // row
}

// NewInvalidRows only counts.
func NewInvalidRows() *InvalidRows { return &InvalidRows{reasons: map[string]*reason{}} }

// OpenInvalidRows opens the file of --errors, if there is one. It must not be the input, which is nil
// if that is no file.
func OpenInvalidRows(file string, input os.FileInfo) (*InvalidRows, error) {
	r := NewInvalidRows()
	if file == "" {
		return r, nil
	}
	to, err := os.Stat(file)
	if err == nil && os.SameFile(input, to) {
		return nil, fault.Usagef("--errors %s: it is the file to read: give another", file)
	}
	if r.file, err = os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600); err != nil {
		return nil, fault.Usagef("open file for errors: %w", err)
	}
	r.out = bufio.NewWriter(r.file)
	return r, nil
}

// invalidRow is a line of the file of --errors.
type invalidRow struct {
	Row        int64             `json:"row"`
	Problem    string            `json:"problem,omitempty"`
	Violations []event.Violation `json:"violations,omitempty"`
	Event      json.RawMessage   `json:"event,omitempty"`
	// Raw and RawBase64 are the row where it can't be Event: no JSON, no text.
	Raw       *string `json:"raw,omitempty"`
	RawBase64 []byte  `json:"raw_base64,omitempty"`
}

// set sets the field that can hold the row.
func (l *invalidRow) set(d importer.Document) {
	raw := d.Text
	if raw == nil {
		raw = d.JSON
	}
	switch {
	case len(raw) == 0:
	case d.Text == nil && json.Valid(raw) && utf8.Valid(raw):
		l.Event = raw
	case utf8.Valid(raw):
		text := string(raw)
		l.Raw = &text
	default:
		l.RawBase64 = raw
	}
}

// add counts a row and writes it.
func (r *InvalidRows) add(d importer.Document, violations []event.Violation) error {
	r.Rows++
	if d.Problem != nil {
		r.count(d.Line, rowValues.ReplaceAllString(d.Problem.Error(), "?"), d.Problem.Error())
	}
	if r.Rows == 1 && d.Problem == nil {
		var line invalidRow
		r.written = json.Unmarshal(d.JSON, &line) == nil && line.Row > 0 && (line.Problem != "" || line.Violations != nil)
	}
	for _, v := range violations {
		r.count(d.Line, ReasonKey(v), v.String())
	}
	if r.file == nil {
		return nil
	}
	line := invalidRow{Row: d.Line, Violations: violations}
	if d.Problem != nil {
		line.Problem = d.Problem.Error()
	}
	line.set(d)
	r.raw = r.raw || line.Event == nil
	out := json.NewEncoder(r.out)
	out.SetEscapeHTML(false)
	if err := out.Encode(line); err != nil {
		return fmt.Errorf("write %s: %w", r.file.Name(), err)
	}
	return nil
}

// rowValues matches the parts of a message that come from the row: quoted text and numbers.
var rowValues = regexp.MustCompile(`"(?:[^"\\]|\\.)*"|[0-9]+`)

// ReasonKey is equal for violations of one kind: it ignores the value found and list indexes.
func ReasonKey(v event.Violation) string {
	expected := v.Message
	for _, found := range []string{", found ", ", has ", " (byte "} {
		expected, _, _ = strings.Cut(expected, found)
	}
	if v.Keyword == "size" {
		expected = ""
	}
	steps := strings.Split(v.Pointer, "/")
	for i, step := range steps {
		if strings.Trim(step, "0123456789") == "" {
			steps[i] = ""
		}
	}
	return v.Keyword + " " + strings.Join(steps, "/") + " " + expected
}

func (r *InvalidRows) count(row int64, key, text string) {
	one := r.reasons[key]
	if one == nil && len(r.reasons) >= maxReasons {
		key, text = "", "other reasons"
		one = r.reasons[key]
	}
	if one == nil {
		one = &reason{text: text}
		r.reasons[key] = one
	}
	if one.count > 0 && one.last == row {
		return // twice in one row
	}
	if one.count < maxRowNumbers {
		one.first[one.count] = row
	}
	one.count, one.last, one.varied = one.count+1, row, one.varied || one.text != text
}

func (r *reason) String() string {
	text := r.text
	if r.varied {
		text += ", and the like"
	}
	if r.count == 1 {
		return fmt.Sprintf("row %d: %s", r.first[0], text)
	}
	places := make([]string, 0, maxRowNumbers+1)
	for _, row := range r.first[:min(r.count, maxRowNumbers)] {
		places = append(places, fmt.Sprint(row))
	}
	if r.count > maxRowNumbers {
		places = append(places, "…")
	}
	return fmt.Sprintf("%d rows (%s): %s", r.count, strings.Join(places, ", "), text)
}

// Close prints the reasons and closes the file.
func (r *InvalidRows) Close(to io.Writer) error {
	all := make([]*reason, 0, len(r.reasons))
	for _, one := range r.reasons {
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b *reason) int {
		return cmp.Or(cmp.Compare(b.count, a.count), cmp.Compare(a.first[0], b.first[0]), cmp.Compare(a.text, b.text))
	})
	for _, one := range all {
		say(to, "%s", one)
	}
	switch {
	case r.written:
		say(to, "the file looks like one that --errors wrote: use --from-errors to read the event of each line")
	case r.file == nil && r.Rows > int64(len(all)):
		say(to, "--errors FILE writes every one of them to a file, to be corrected and read with --from-errors")
	case r.raw:
		say(to, `every one of them is in %s: correct the events there, and where there is none write "event" of what is in "raw"; read that file with --from-errors`, r.file.Name())
	case r.file != nil && r.Rows > 0:
		say(to, "every one of them is in %s: correct the events there, and read that file with --from-errors", r.file.Name())
	}
	if r.file == nil {
		return nil
	}
	if err := errors.Join(r.out.Flush(), r.file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", r.file.Name(), err)
	}
	return nil
}

// CorrectedEvent returns the event in a line of a file of --errors.
func CorrectedEvent(d importer.Document) importer.Document {
	if d.Problem != nil {
		return d
	}
	var line invalidRow
	err := json.Unmarshal(d.JSON, &line)
	switch {
	case err != nil:
		d.Problem = fmt.Errorf("no line of a file of --errors: %w", err)
	case line.Event != nil:
		d.JSON = line.Event
	case line.Raw != nil && strings.HasPrefix(*line.Raw, "{"): // corrected there, or the contract says what it lacks
		d.JSON = []byte(*line.Raw)
	case line.Raw != nil, line.RawBase64 != nil:
		d.Problem = fmt.Errorf(`has no member "event": write one, {"name": value, …}, of what is in "raw" or "raw_base64", row %d of the file it came from`, line.Row)
	default:
		d.Problem = fmt.Errorf(`has no member "event": it could not be read, correct it in row %d of the file it came from`, line.Row)
	}
	return d
}
