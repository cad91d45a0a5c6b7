package scaffold

import (
	"fmt"
	"strings"

	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/inference"
)

// Mapping returns the text of mapping.sql, empty if the files need none.
func (s *Survey) Mapping() string {
	if !s.maps() {
		return ""
	}
	var formats []string
	for _, f := range s.formats() {
		formats = append(formats, string(f))
	}
	var b strings.Builder
	fmt.Fprintf(&b, "-- Makes events of the rows of %s.\n-- A value that can't be converted stays as it is, so that its row is reported.\n-- format: %s\n",
		oneLine(s.from()), strings.Join(formats, ", "))
	from := "source"
	if s.Format.IsDocuments() {
		from = "complete"
		fmt.Fprintf(&b, "WITH complete AS ( -- with columns that no row of a file may have\n    SELECT * FROM source UNION ALL BY NAME SELECT %s WHERE false\n)", s.absent())
	}
	if s.madeKey() {
		b.WriteString(map[bool]string{true: "WITH ", false: ",\n"}[from == "source"])
		fmt.Fprintf(&b, "hashed AS ( -- equal rows have the same hash\n    SELECT *, md5(CAST(to_json({%s\n    }) AS VARCHAR)) AS %s\n    FROM %s\n)", s.content(), s.hashName(), from)
		from = "hashed"
	}
	if from != "source" {
		b.WriteString("\n")
	}
	b.WriteString("SELECT *")
	if s.madeKey() {
		fmt.Fprintf(&b, " EXCLUDE (%s)", s.hashName())
	}
	if all := s.conversions(); len(all) > 0 {
		fmt.Fprintf(&b, " REPLACE (\n    %s\n)", strings.Join(all, ",\n    "))
	}
	if s.madeKey() {
		fmt.Fprintf(&b, ",\n    %[1]s || '-' || row_number() OVER (PARTITION BY %[1]s ORDER BY _row) AS %[2]s", s.hashName(), s.keyName())
	}
	fmt.Fprintf(&b, "\nFROM %s\nORDER BY _row\n", from)
	return b.String()
}

// oneLine keeps a comment a comment.
func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func (s *Survey) hashName() string { return s.free("row_hash") }

// absent are the columns that the mapping names, without a value.
func (s *Survey) absent() string {
	var all []string
	for i := range s.Columns {
		if c := &s.Columns[i]; s.madeKey() || s.converts(c) {
			all = append(all, "NULL AS "+database.QuoteName(c.Name))
		}
	}
	return strings.Join(all, ", ")
}

// content is every column as a member of an object. A number is one however the file writes it.
func (s *Survey) content() string {
	lines := make([]string, len(s.Columns))
	for i := range s.Columns {
		c := &s.Columns[i]
		value := database.QuoteName(c.Name)
		if c.Type == "number" && s.Format.IsDocuments() {
			value = "CAST(" + value + " AS DOUBLE)"
		}
		lines[i] = "\n        " + database.QuoteText(c.Name) + ": " + value
	}
	return strings.Join(lines, ",")
}

func (s *Survey) conversions() (all []string) {
	for i := range s.Columns {
		if c := &s.Columns[i]; s.converts(c) {
			all = append(all, s.conversion(c)+" AS "+database.QuoteName(c.Name))
		}
	}
	return all
}

// conversion is the SQL of a column's value as its property has it.
func (s *Survey) conversion(c *inference.Column) string {
	x := database.QuoteName(c.Name)
	if c.Mixed {
		if s.Format.IsDocuments() {
			return "to_json(" + x + ") ->> '$'"
		}
		return "CAST(" + x + " AS VARCHAR)"
	}
	if !s.Format.IsTable() {
		x = "CAST(" + x + " AS VARCHAR)"
	}
	if len(c.Missing) > 0 {
		words := make([]string, len(c.Missing))
		for i, word := range c.Missing {
			words[i] = database.QuoteText(word)
		}
		x = fmt.Sprintf("CASE WHEN %[1]s NOT IN (%[2]s) THEN %[1]s END", x, strings.Join(words, ", "))
	}
	const instant = "'%Y-%m-%dT%H:%M:%S.%fZ'"
	switch c.Layout {
	case inference.LocalTime:
		return fmt.Sprintf("coalesce(strftime(TRY_CAST(%[1]s AS TIMESTAMP), %[2]s), %[1]s)", x, instant)
	case inference.LooseTime:
		full := fmt.Sprintf(`regexp_replace(%s, '^(.{10}[T ]\d\d:\d\d) ?([Z+-])', '\1:00\2')`, x) // a cast wants the seconds
		return fmt.Sprintf("coalesce(strftime(timezone('UTC', TRY_CAST(%[3]s AS TIMESTAMPTZ)), %[2]s), %[1]s)", x, instant, full)
	case inference.DayMonth, inference.MonthDay:
		return fmt.Sprintf("coalesce(strftime(try_strptime(%[1]s, %[2]s), '%%Y-%%m-%%d'), %[1]s)", x, s.patterns(c))
	case inference.DayMonthTime, inference.MonthDayTime:
		return fmt.Sprintf("coalesce(strftime(try_strptime(%[1]s, %[2]s), '%%Y-%%m-%%dT%%H:%%M:%%SZ'), %[1]s)", x, s.patterns(c))
	case inference.DecimalComma:
		return fmt.Sprintf("CASE WHEN regexp_full_match(%[1]s, '-?(\\d{1,3}(\\.\\d{3})+|\\d+)(,\\d+)?') THEN replace(replace(%[1]s, '.', ''), ',', '.') ELSE %[1]s END", x)
	case inference.GroupedNumber:
		return fmt.Sprintf("CASE WHEN regexp_full_match(%[1]s, '-?\\d{1,3}(,\\d{3})+(\\.\\d+)?') THEN replace(%[1]s, ',', '') ELSE %[1]s END", x)
	case inference.AnyCaseBoolean:
		return fmt.Sprintf("CASE WHEN lower(%[1]s) IN ('true', 'false') THEN lower(%[1]s) ELSE %[1]s END", x)
	default:
		return x
	}
}

// patterns are those that strptime reads the column's dates by.
func (s *Survey) patterns(c *inference.Column) string {
	var all []string
	for _, separator := range c.Separators {
		day := fmt.Sprintf("%%d%[1]c%%m%[1]c%%Y", separator)
		if c.Layout == inference.MonthDay || c.Layout == inference.MonthDayTime {
			day = fmt.Sprintf("%%m%[1]c%%d%[1]c%%Y", separator)
		}
		clocks := []string{""}
		if c.Layout == inference.DayMonthTime || c.Layout == inference.MonthDayTime {
			clocks = []string{" %H:%M:%S", " %H:%M", ""}
		}
		for _, clock := range clocks {
			all = append(all, database.QuoteText(day+clock))
		}
	}
	return "[" + strings.Join(all, ", ") + "]"
}
