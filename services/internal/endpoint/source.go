package endpoint

import (
	"context"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/estela-dev/estela/services/internal/statement"
)

// source is SQL in a file: text[at:] is what DuckDB was given.
type source struct {
	file, text string
	// line is the file's on which the text begins.
	line, at int
}

// fault is what is wrong with the SQL, at its line and column of the file.
func (s source) fault(f *statement.FaultError) error {
	e := &ParseError{File: s.file, Reason: f.Reason, Fix: f.Fix}
	at := s.at + f.At
	if f.At < 0 || at > len(s.text) {
		e.Line = s.line + strings.Count(s.text[:s.at], "\n")
		return e
	}
	before := s.text[:at]
	e.Line = s.line + strings.Count(before, "\n")
	e.Column = 1 + utf8.RuneCountInString(before[strings.LastIndexByte(before, '\n')+1:])
	return e
}

var (
	caretPlace  = regexp.MustCompile(`(?m)^LINE (\d+): (.*)\n( *)\^`)
	duckDBError = regexp.MustCompile(`(?s)^(?:.*?: )?(?:[A-Z][A-Za-z]+ )+Error: (.*?)(?:\n\nLINE \d+:.*)?$`)
	noColumn    = regexp.MustCompile(`^(?:Referenced column|Table "[^"]*" does not have a column named|Values list "[^"]*" does not have a column named) "([^"]*)"`)
	nearest     = regexp.MustCompile(`(?s)(?:Candidate bindings|Did you mean):?[ :]*(.*)$`)
	quotedName  = regexp.MustCompile(`"([^"]+)"`)
)

// explain is DuckDB's error about the SQL as it was prepared, where the SQL began on the line first,
// at its line and column of the file. Parameters are casts there, so a column is found again by its
// word.
func (s source) explain(err error, first int) error {
	text := err.Error()
	f := &statement.FaultError{At: -1, Reason: text, Fix: "correct the SQL"}
	if match := duckDBError.FindStringSubmatch(text); match != nil {
		f.Reason, f.Fix = plainWords(match[1])
	}
	if match := caretPlace.FindStringSubmatch(text); match != nil {
		line, _ := strconv.Atoi(match[1])
		// The caret is below the excerpt, both after "LINE n: ".
		caret := len(match[3]) - len("LINE : ") - len(match[1])
		f.At = s.find(line-first, match[2], caret)
	}
	return s.fault(f)
}

// plainWords are DuckDB's, without the lists of all that it knows.
func plainWords(message string) (reason, fix string) {
	reason, _, _ = strings.Cut(message, "\n")
	reason, fix = strings.TrimRight(reason, " .!"), "correct the SQL"
	var near []string
	if match := nearest.FindStringSubmatch(message); match != nil {
		for _, one := range quotedName.FindAllStringSubmatch(match[1], -1) {
			if name := one[1][strings.LastIndexByte(one[1], '.')+1:]; !strings.HasPrefix(name, "_") {
				near = append(near, name)
			}
		}
	}
	if match := noColumn.FindStringSubmatch(reason); match != nil {
		reason = "names the column " + match[1] + ", which is in none of its tables"
	}
	if len(near) > 0 {
		fix = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return reason, fix
}

// find is the byte of the SQL that a caret below an excerpt of its line points at, -1 if
// it can't be found.
func (s source) find(line int, excerpt string, caret int) int {
	start, rest := 0, s.text[s.at:]
	for ; line > 0; line-- {
		end := strings.IndexByte(rest[start:], '\n')
		if end < 0 {
			return -1
		}
		start += end + 1
	}
	text, _, _ := strings.Cut(rest[start:], "\n")
	if caret < 0 || caret >= len(excerpt) {
		return start + len(text)
	}
	word := wordAt(excerpt[caret:])
	// The same word as often before it as in the excerpt, if that has the whole line.
	nth := strings.Count(excerpt[:caret], word)
	if strings.HasPrefix(excerpt, "...") {
		nth = strings.Count(text[:max(0, strings.Index(text, strings.Trim(excerpt[:caret], ".")))], word)
	}
	at := 0
	for ; ; nth-- {
		i := strings.Index(text[at:], word)
		switch {
		case i < 0:
			return start
		case nth == 0:
			return start + at + i
		}
		at += i + len(word)
	}
}

var token = regexp.MustCompile(`^(?:[\pL_][\pL\pN_]*|"[^"]*"|.)`)

func wordAt(text string) string { return token.FindString(text) }

// quote adds to a syntax error how to write a name that is a word of SQL, if that is what
// is wrong: with quotes around it DuckDB reads on. Words of the columns (in lower case) are names
// though they begin clauses too.
func quote(ctx context.Context, parse statement.Parser, columns map[string]bool, sql string, f *statement.FaultError) {
	if f.At < 0 || f.At > len(sql) {
		return
	}
	for _, at := range []int{lastWord(sql[:f.At]), f.At} {
		if at < 0 {
			continue
		}
		word := wordAt(sql[at:])
		if word == "" || !wordStart(word[0]) || clauses[strings.ToUpper(word)] && !columns[strings.ToLower(word)] {
			continue
		}
		_, err := statement.Check(ctx, parse, sql[:at]+`"`+word+`"`+sql[at+len(word):], nil, nil)
		next := (*statement.FaultError)(nil)
		if !errors.As(err, &next) || next.At > f.At+len(`""`) {
			f.At, f.Reason, f.Fix = at, word+" is a word of SQL itself", `where it is a name, write "`+word+`" with quotes, everywhere in the SQL`
			return
		}
	}
}

// lastWord is where the last word of the text begins, -1 if something else ends it.
func lastWord(text string) int {
	text = strings.TrimRight(text, " \t\r\n,.=<>+-*/(")
	at := len(text)
	for at > 0 {
		r, size := utf8.DecodeLastRuneInString(text[:at])
		if !wordStart(byte(min(r, utf8.RuneSelf))) && (r < '0' || r > '9') {
			break
		}
		at -= size
	}
	if at == len(text) {
		return -1
	}
	return at
}

// clauses are words that stand where they belong more often than where a name should.
var clauses = func() map[string]bool {
	all := map[string]bool{}
	for w := range strings.FieldsSeq("SELECT FROM WHERE GROUP BY ORDER HAVING LIMIT OFFSET WITH AS ON USING JOIN LEFT RIGHT FULL INNER OUTER CROSS UNION ALL EXCEPT INTERSECT AND OR NOT IN IS NULL CASE WHEN THEN ELSE END DISTINCT QUALIFY WINDOW BETWEEN LIKE CAST") {
		all[w] = true
	}
	return all
}()
