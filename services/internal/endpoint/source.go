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

// source is a file with SQL, of which DuckDB was given text[at:].
type source struct {
	file, text string
	// line is the file's line on which text begins.
	line, at int
}

// fault converts a fault of the SQL to an error at its line and column of the file.
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
	caretLine     = regexp.MustCompile(`(?m)^LINE (\d+): (.*)\n( *)\^`)
	duckDBError   = regexp.MustCompile(`(?s)^(?:.*?: )?(?:[A-Z][A-Za-z]+ )+Error: (.*?)(?:\n\nLINE \d+:.*)?$`)
	missingColumn = regexp.MustCompile(`^(?:Referenced column|Table "[^"]*" does not have a column named|Values list "[^"]*" does not have a column named) "([^"]*)"`)
	candidates    = regexp.MustCompile(`(?s)(?:Candidate bindings|Did you mean):?[ :]*(.*)$`)
	quotedName    = regexp.MustCompile(`"([^"]+)"`)
)

// translateError converts DuckDB's error about the prepared SQL, which began on the line first, to an
// error at its line and column of the file. Parameters are casts in the prepared SQL, so the
// column is found by its word.
func (s source) translateError(err error, first int) error {
	text := err.Error()
	f := &statement.FaultError{At: -1, Reason: text, Fix: "correct the SQL"}
	if match := duckDBError.FindStringSubmatch(text); match != nil {
		f.Reason, f.Fix = simplifyMessage(match[1])
	}
	if match := caretLine.FindStringSubmatch(text); match != nil {
		line, _ := strconv.Atoi(match[1])
		// The caret is below the excerpt, both after "LINE n: ".
		caret := len(match[3]) - len("LINE : ") - len(match[1])
		f.At = s.offsetOf(line-first, match[2], caret)
	}
	return s.fault(f)
}

// simplifyMessage shortens DuckDB's message: without the lists of all candidates.
func simplifyMessage(message string) (reason, fix string) {
	reason, _, _ = strings.Cut(message, "\n")
	reason, fix = strings.TrimRight(reason, " .!"), "correct the SQL"
	var near []string
	if match := candidates.FindStringSubmatch(message); match != nil {
		for _, one := range quotedName.FindAllStringSubmatch(match[1], -1) {
			if name := one[1][strings.LastIndexByte(one[1], '.')+1:]; !strings.HasPrefix(name, "_") {
				near = append(near, name)
			}
		}
	}
	if match := missingColumn.FindStringSubmatch(reason); match != nil {
		reason = "names the column " + match[1] + ", which is in none of its tables"
	}
	if len(near) > 0 {
		fix = "did you mean " + strings.Join(near, " or ") + "?"
	}
	return reason, fix
}

// offsetOf returns the byte of the SQL at which a caret below an excerpt of its line points, -1 if
// it is not found.
func (s source) offsetOf(line int, excerpt string, caret int) int {
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
	// The word's nth occurrence in the excerpt is the nth in the line, unless the excerpt is cut.
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

// suggestQuotes changes a syntax error's fix to quoting a name that is a keyword, if DuckDB parses
// further with the quotes. Keywords that begin clauses count as names only if a column (in lower
// case) is called so.
func suggestQuotes(ctx context.Context, parse statement.Parser, columns map[string]bool, sql string, f *statement.FaultError) {
	if f.At < 0 || f.At > len(sql) {
		return
	}
	for _, at := range []int{lastWordStart(sql[:f.At]), f.At} {
		if at < 0 {
			continue
		}
		word := wordAt(sql[at:])
		if word == "" || !wordStart(word[0]) || clauseKeywords[strings.ToUpper(word)] && !columns[strings.ToLower(word)] {
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

// lastWordStart returns where the last word of the text begins, -1 if the text does not end in one.
func lastWordStart(text string) int {
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

// clauseKeywords are keywords that are rarely meant as names.
var clauseKeywords = func() map[string]bool {
	all := map[string]bool{}
	for w := range strings.FieldsSeq("SELECT FROM WHERE GROUP BY ORDER HAVING LIMIT OFFSET WITH AS ON USING JOIN LEFT RIGHT FULL INNER OUTER CROSS UNION ALL EXCEPT INTERSECT AND OR NOT IN IS NULL CASE WHEN THEN ELSE END DISTINCT QUALIFY WINDOW BETWEEN LIKE CAST") {
		all[w] = true
	}
	return all
}()
