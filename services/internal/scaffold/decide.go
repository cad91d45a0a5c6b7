package scaffold

import (
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/fault"
	"github.com/estela-dev/estela/services/internal/inference"
	"github.com/estela-dev/estela/services/internal/tabular"
)

const (
	// boundRows is how many rows make a bound that all of them are within likely.
	boundRows = 1000
	// exact is up to where a 64-bit float has every integer.
	exact = 1 << 53
	// room is how many times larger the bounds of a 32-bit integer are than the values.
	room = 1000
)

var (
	names       = regexp.MustCompile(`(^|_)(version|release|build|ver)(_|$)`) // 1.10 is not 1.1
	fractions   = regexp.MustCompile(`(^|_)(price|amount|cost|rate|ratio|percent|percentage|pct|share|score|avg|average|mean|temp|temperature|celsius|weight|height|lat|latitude|lon|lng|longitude|precio|importe|monto|costo|total|subtotal|tax|discount)(_|$)`)
	differences = regexp.MustCompile(`(^|_)(delta|diff|difference|change|balance|temp|temperature|lat|latitude|lon|lng|longitude|offset|delay|profit|margin|net|x|y|z|elevation|altitude|saldo|variacion)(_|$)`)
)

// decide infers what the values alone do not.
func (s *Survey) decide() {
	if s.Stream != nil {
		s.decideStream()
	}
	for i := range s.Columns {
		c := &s.Columns[i]
		switch sql := s.types[c.Name]; {
		case sql == "DOUBLE", sql == "FLOAT", strings.HasPrefix(sql, "DECIMAL") && !strings.HasSuffix(sql, ",0)"):
			if c.Type == "integer" && max(c.High, -c.Low) < exact {
				c.Type = "number"
			}
		case c.Type == "number" && s.Format.IsTable() && c.Layout == inference.Plain && (names.MatchString(c.Property) || inference.IsID(c.Property)):
			c.Type, c.Missing = "string", nil
			c.Note = join(c.Note, "has numbers, and stays text by its name")
		case c.Type == "integer" && fractions.MatchString(c.Property) && !s.isKey(i) && max(c.High, -c.Low) < exact:
			c.Type = "number"
			c.Note = join(c.Note, "has whole numbers only, and is a number by its name")
		}
	}
	s.Time = inference.Time(s.Columns)
}

func join(notes ...string) string {
	var all []string
	for _, n := range notes {
		if n != "" {
			all = append(all, n)
		}
	}
	return strings.Join(all, "; ")
}

func (s *Survey) isKey(column int) bool {
	return slices.Contains(s.Key.Columns, column)
}

// check refuses what can't be a dataset.
func (s *Survey) check() error {
	file := s.Files[0].Name
	columns := len(s.Columns)
	if s.madeKey() {
		columns++
	}
	if columns > contract.MaxColumns {
		return fault.Usagef("%s has %d columns, and a dataset has at most %d: leave out those that nobody asks for, "+
			"or write them as rows of name and value", file, len(s.Columns), contract.MaxColumns)
	}
	if len(s.Columns) == 0 {
		return fmt.Errorf("%s: its rows have no column", file)
	}
	if !s.maps() {
		return nil
	}
	seen := map[string]string{}
	for _, c := range s.Columns {
		folded := strings.ToLower(c.Name)
		if other, twice := seen[folded]; twice {
			return fmt.Errorf("%s has columns %q and %q, which SQL does not tell apart, and it needs a mapping for %s: rename one", file, other, c.Name, s.mapsFor())
		}
		if folded == "_row" || folded == "" {
			return fmt.Errorf("%s has a column %q, which a mapping can't name, and it needs one for %s: rename it", file, c.Name, s.mapsFor())
		}
		seen[folded] = c.Name
	}
	return nil
}

// madeKey reports whether the key has to be made.
func (s *Survey) madeKey() bool { return len(s.Key.Columns) == 0 && s.Stream == nil }

// maps reports whether the files need a mapping.
func (s *Survey) maps() bool { return s.mapsFor() != "" }

// mapsFor says what a mapping is needed for.
func (s *Survey) mapsFor() string {
	for i := range s.Columns {
		if c := &s.Columns[i]; s.converts(c) {
			return fmt.Sprintf("the values of %q", c.Name)
		}
	}
	if s.madeKey() {
		return "the key"
	}
	return ""
}

// converts reports whether the column's values have to be converted.
func (s *Survey) converts(c *inference.Column) bool {
	return c.Layout != inference.Plain || len(c.Missing) > 0 || c.Mixed
}

// required reports whether the property of the column is.
func (s *Survey) required(at int) bool {
	return s.isKey(at) || at == s.Time || s.Columns[at].Present && s.Rows >= inference.CertainRows && s.Stream == nil
}

// isEnum reports whether the column's values are all there are.
func (s *Survey) isEnum(c *inference.Column) bool {
	return s.Stream == nil && c.Type == "string" && c.Format == "" && c.Layout == inference.Plain && !c.Mixed && len(c.Missing) == 0 && !c.Null &&
		c.Repeats && c.Saturated && len(c.Values) > 1
}

// bounds returns those of an integer, as JSON Schema's keywords; ok if there are any.
func (s *Survey) bounds(c *inference.Column) (low, high string) {
	if c.Type != "integer" || s.Rows < boundRows || c.Low > c.High || s.Stream != nil {
		return "", ""
	}
	if c.Low >= 0 && !differences.MatchString(c.Property) {
		low = "0"
	}
	if c.High <= math.MaxInt32/room && c.Low >= -math.MaxInt32/room {
		if low == "" {
			low = fmt.Sprint(math.MinInt32)
		}
		high = fmt.Sprint(math.MaxInt32)
	}
	return low, high
}

// keyName is the property of a key that is made.
func (s *Survey) keyName() string { return s.free("row_id") }

// free is the name, or one like it that no column and no property has.
func (s *Survey) free(name string) string {
	taken := map[string]bool{}
	for _, c := range s.Columns {
		taken[strings.ToLower(c.Name)], taken[c.Property] = true, true
	}
	free := name
	for n := 2; taken[free]; n++ {
		free = fmt.Sprintf("%s_%d", name, n)
	}
	return free
}

// keyNames are the properties of the key.
func (s *Survey) keyNames() []string {
	if s.madeKey() {
		return []string{s.keyName()}
	}
	names := make([]string, len(s.Key.Columns))
	for i, at := range s.Key.Columns {
		names[i] = s.Columns[at].Property
	}
	return names
}

// from names the files.
func (s *Survey) from() string {
	first := filepath.Base(s.Files[0].Name)
	switch n := len(s.Files); n {
	case 1:
		return first
	case 2:
		return first + " and " + filepath.Base(s.Files[1].Name)
	default:
		return fmt.Sprintf("%s and %d more files", first, n-1)
	}
}

// renamed calls the file by its name in an error.
func renamed(err error, file File) error {
	if file.Path == file.Name {
		return err
	}
	return renamedError{err, strings.ReplaceAll(err.Error(), file.Path, file.Name)}
}

// renamedError is an error with another text.
type renamedError struct {
	error
	text string
}

func (e renamedError) Error() string { return e.text }
func (e renamedError) Unwrap() error { return e.error }

// formats are those of the files that the mapping is for.
func (s *Survey) formats() []tabular.Format {
	switch {
	case s.Format.IsTable():
		return []tabular.Format{tabular.CSV, tabular.TSV}
	case s.Format.IsDocuments():
		return []tabular.Format{tabular.NDJSON, tabular.JSON}
	default:
		return []tabular.Format{tabular.Parquet}
	}
}
