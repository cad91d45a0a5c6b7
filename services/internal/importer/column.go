package importer

import (
	"fmt"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/tabular"
)

// isIgnored reports whether the contract has no such property, but allows additional ones.
func (f *File) isIgnored(column string) bool {
	_, named := f.cfg.Shape.Member(column)
	return f.cfg.Shape.Known() && !named && !f.cfg.Shape.Closed()
}

// checkHeader refuses a header without a column of the contract: no row could be valid.
func (f *File) checkHeader(header []string) error {
	known := func(name string) bool {
		_, named := f.cfg.Shape.Member(name)
		return named || f.cfg.Shape.Nearly(name) != ""
	}
	switch {
	case !f.cfg.Shape.Known() || slices.ContainsFunc(header, known):
		return nil
	case f.in.Format == tabular.TSV && len(header) == 1 && strings.ContainsAny(header[0], ",;|"):
		return fmt.Errorf("line 1: the header has no tab: %s; --format csv finds out what separates the fields", quoted(header))
	}
	return fmt.Errorf("line 1: the contract has no column of this header: %s; a file begins with a line that names the columns as the contract does, "+
		"or a mapping does it", quoted(header))
}

// warnUnknown warns of columns that the contract does not have.
func (f *File) warnUnknown(columns []string) {
	for _, name := range columns {
		_, named := f.cfg.Shape.Member(name)
		switch {
		case named || f.cfg.Warn == nil || !f.cfg.Shape.Known():
		case f.isIgnored(name):
			f.cfg.Warn(fmt.Sprintf("column %q is not in the contract%s and is left out", name, f.suggestion(name)))
		default:
			f.cfg.Warn(fmt.Sprintf("column %q is not in the contract, which allows no other: a row with a value in it is invalid", name))
		}
	}
}

// suggestion returns a hint at the property with a similar name, if any.
func (f *File) suggestion(name string) string {
	if other := f.cfg.Shape.Nearly(name); other != "" {
		return fmt.Sprintf(", which has %q,", other)
	}
	return ""
}

// checkColumns refuses names that are the same in SQL, or reserved.
func checkColumns(names []string) error {
	seen := map[string]string{}
	for _, name := range names {
		folded := foldName(name)
		switch before, twice := seen[folded]; {
		case folded == rowColumn:
			return fmt.Errorf("it has a column %q, which is what a mapping calls the row's number: rename it", name)
		case folded == "file_row_number":
			return fmt.Errorf("it has a column %q, which is DuckDB's own: rename it", name)
		case twice:
			return fmt.Errorf("it has columns %q and %q, which SQL does not tell apart: rename one", before, name)
		}
		seen[folded] = name
	}
	return nil
}

// foldName returns the name as SQL compares it: in lower case, ASCII only.
func foldName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

func quoted(names []string) string {
	all := slices.Clone(names)
	for i, name := range all {
		all[i] = database.QuoteName(name)
	}
	return strings.Join(all, ", ")
}
