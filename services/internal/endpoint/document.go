package endpoint

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/result"
	"github.com/estela-dev/estela/services/internal/statement"
)

// Column is a column of an answer with its documentation: that of the contract's property whose
// values it has, as far as the header says nothing else.
type Column struct {
	result.Column

	Title, Description, Unit string
	// Examples are values in JSON.
	Examples []json.RawMessage
}

// inherited returns the properties whose values an answer may have under their names: those of the
// tables that the statement reads, also through views, whose names it gives to nothing else. The
// endpoint's own dataset comes before the others that it reads.
func (v *vetter) inherited(dataset string, e *Endpoint, s *statement.Statement) map[string]contract.Column {
	tables, others := map[string]bool{}, map[string]bool{}
	v.collect(s, tables, others)
	all := map[string]contract.Column{}
	for _, name := range append([]string{dataset}, e.Reads...) {
		if !tables[name] {
			continue
		}
		for _, c := range v.properties[name] {
			if _, known := all[c.Name]; !known && !others[strings.ToLower(c.Name)] {
				all[c.Name] = c
			}
		}
	}
	return all
}

// collect adds the tables that a statement reads, also through views, and the names that it computes
// or takes from a reference table.
func (v *vetter) collect(s *statement.Statement, tables, others map[string]bool) {
	if s == nil {
		return
	}
	for name := range s.Computed {
		others[name] = true
	}
	for name, sources := range s.Sources {
		others[name] = others[name] || slices.ContainsFunc(sources, v.isReference)
	}
	for _, t := range s.Tables {
		if !tables[t.Name] {
			tables[t.Name] = true
			v.collect(v.views[t.Name], tables, others)
		}
	}
}

// isReference reports whether the table is one of reference data.
func (v *vetter) isReference(table string) bool {
	_, view := v.views[table]
	return len(v.owners[table]) > 0 && !view && !slices.Contains(v.datasets, table)
}

// document adds the documentation to the columns: the header's, then the properties'.
func (e *Endpoint) document(sh *Shape, properties map[string]contract.Column) error {
	for i := range sh.Columns {
		if p, ok := properties[sh.Columns[i].Name]; ok && sameType(p.Type.String(), sh.Columns[i].Type) {
			c := &sh.Columns[i]
			c.Title, c.Description, c.Unit, c.Examples = p.Title, p.Description, p.Unit, p.Examples
		}
	}
	var errs []error
	for _, text := range e.Columns {
		i := sh.index(text.Name)
		if i < 0 {
			errs = append(errs, e.noColumn(text.line, "column", text.Name, sh))
			continue
		}
		errs = append(errs, e.override(&sh.Columns[i], text))
	}
	return errors.Join(errs...)
}

// override replaces what the header says something else about.
func (e *Endpoint) override(c *Column, by ColumnText) error {
	if by.Description != "" {
		c.Description = by.Description
	}
	if by.Unit != "" {
		c.Unit = by.Unit
	}
	if by.Example == nil {
		return nil
	}
	value, ok := jsonOf(c.Type, *by.Example)
	if !ok {
		return e.parseError(by.line, fmt.Sprintf("the example %q of the column %s is no %s", *by.Example, c.Name, c.Type), "correct the example")
	}
	c.Examples = []json.RawMessage{value}
	return nil
}

var (
	integerType = regexp.MustCompile(`^U?(TINY|SMALL|BIG|HUGE)INT$|^U?INTEGER$|^BIGNUM$`)
	numberType  = regexp.MustCompile(`^(FLOAT|DOUBLE|DECIMAL\(.*\))$`)
	integerText = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)
	numberText  = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
)

// IsInteger reports whether a type, by DuckDB's name, is one of integers.
func IsInteger(sqlType string) bool { return integerType.MatchString(sqlType) }

// sameType reports whether a column still has the property's type: an integer may be a wider one.
func sameType(property, column string) bool {
	return property == column || IsInteger(property) && IsInteger(column)
}

// jsonOf returns the text of a value as the JSON that answers have of its type.
func jsonOf(sqlType, text string) (value json.RawMessage, ok bool) {
	plain := json.RawMessage(text)
	switch {
	case IsInteger(sqlType):
		return plain, integerText.MatchString(text)
	case numberType.MatchString(sqlType):
		return plain, numberText.MatchString(text)
	case sqlType == "BOOLEAN":
		return plain, text == "true" || text == "false"
	case sqlType == "JSON" || strings.ContainsAny(sqlType, "[("):
		return plain, json.Valid(plain)
	}
	value, err := json.Marshal(text)
	return value, err == nil
}
