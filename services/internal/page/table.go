package page

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/estela-dev/estela/services/internal/endpoint"
)

// table is the rows of an answer as text, for the template "table".
type table struct {
	// Label is the ID of its heading.
	Label   string
	Columns []tableColumn
	Rows    [][]cell
	// Next is the cursor of the next page, empty without one.
	Next string
}

type tableColumn struct {
	Name string
	// Type is DuckDB's, empty if unknown.
	Type, Unit string
	// Meaning is a sentence.
	Meaning string
	Number  bool
}

// Right reports whether a column's cell stands at the right, as numbers do, and NULLs among them.
func (t table) Right(i int, c cell) bool {
	return c.Number || c.Null && i < len(t.Columns) && t.Columns[i].Number
}

// download is a link to an answer in a format, and the name of the file.
type download struct{ Format, Path, File string }

// cell is a value. A number has all of its digits.
type cell struct {
	// Text is the beginning of a long value, Rest what follows.
	Text, Rest   string
	Null, Number bool
}

// Short reports whether it is one line.
func (c cell) Short() bool { return c.Rest == "" && len(c.Text) <= 40 }

// cellRunes is the length from which a value is long.
const cellRunes = 200

// rowsAnswer is an answer of the API: the rows' values in the order of their columns, as JSON.
type rowsAnswer struct {
	// Names are those of the columns, none without rows.
	Names []string
	Rows  [][]json.RawMessage
	// Next is the cursor of the next page, empty without one.
	Next string
}

// readRows reads the API's answer in JSON.
func readRows(answer []byte) (*rowsAnswer, error) {
	var doc struct {
		Data []json.RawMessage
		Meta struct{ Next string }
	}
	if err := json.Unmarshal(answer, &doc); err != nil {
		return nil, fmt.Errorf("read answer: %w", err)
	}
	a := &rowsAnswer{Next: doc.Meta.Next}
	for _, row := range doc.Data {
		names, values, err := endpoint.Members(row)
		if err != nil {
			return nil, fmt.Errorf("read row: %w", err)
		}
		if a.Names == nil {
			a.Names = names
		}
		a.Rows = append(a.Rows, values)
	}
	return a, nil
}

// newTable reads the API's answer in JSON, and its columns from the answer's dictionary, nil without one: rows
// know no types, and an answer without rows no columns.
func newTable(answer, dictionary []byte) (table, error) {
	a, err := readRows(answer)
	if err != nil {
		return table{}, err
	}
	t := table{Next: a.Next}
	if t.Columns, err = tableColumns(dictionary); err != nil {
		return t, err
	}
	if t.Columns == nil {
		for _, name := range a.Names {
			t.Columns = append(t.Columns, tableColumn{Name: name})
		}
	}
	for _, values := range a.Rows {
		cells := make([]cell, len(values))
		for i, value := range values {
			cells[i] = newCell(value)
		}
		t.Rows = append(t.Rows, cells)
	}
	return t, nil
}

// tableColumns reads an answer's dictionary (?format=dictionary): name, type, unit and what else it has.
func tableColumns(dictionary []byte) (all []tableColumn, err error) {
	lines, err := csv.NewReader(bytes.NewReader(dictionary)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read dictionary: %w", err)
	}
	for i, line := range lines {
		if i > 0 && len(line) > 2 { // the first names the others
			all = append(all, tableColumn{Name: line[0], Type: line[1], Unit: line[2], Number: isNumber(line[1])})
		}
	}
	return all, nil
}

// Doubtful reports whether a NULL of the table may be a value that JSON lacks: NaN, an infinity, a far time.
func (t table) Doubtful() bool {
	return slices.ContainsFunc(t.Rows, func(row []cell) bool {
		for i, c := range row {
			if c.Null && i < len(t.Columns) && lackedByJSON.MatchString(t.Columns[i].Type) {
				return true
			}
		}
		return false
	})
}

// lackedByJSON matches the types of which JSON has not all values (package encode).
var lackedByJSON = regexp.MustCompile(`FLOAT|DOUBLE|DATE|TIMESTAMP`)

// isNumber reports whether a type of DuckDB's is one of numbers.
func isNumber(sqlType string) bool {
	return endpoint.IsInteger(sqlType) || sqlType == "FLOAT" || sqlType == "DOUBLE" || strings.HasPrefix(sqlType, "DECIMAL(")
}

// newCell returns a value of JSON: a text without its quotes, everything else as it is written.
func newCell(value json.RawMessage) cell {
	c := cell{Text: string(value)}
	switch value[0] {
	case 'n':
		return cell{Null: true}
	case '"':
		if err := json.Unmarshal(value, &c.Text); err != nil {
			c.Text = string(value)
		}
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		c.Number = true
		return c
	}
	return longCell(c.Text)
}

// longCell returns a text, cut visibly if it is long.
func longCell(text string) cell {
	if utf8.RuneCountInString(text) <= cellRunes {
		return cell{Text: text}
	}
	at := len(string([]rune(text)[:cellRunes]))
	return cell{Text: text[:at], Rest: text[at:]}
}
