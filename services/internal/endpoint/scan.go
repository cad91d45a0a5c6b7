package endpoint

import (
	"fmt"
	"strings"
)

// paramUse is a parameter in a statement, $name, at SQL[start:end].
type paramUse struct {
	name       string
	start, end int
	line       int // from 1
}

// scanResult is the outcome of scanning a statement.
type scanResult struct {
	params []paramUse
	// end is the end of the statement, before a closing semicolon.
	end int
}

// scanError is an error at a line of the SQL.
type scanError struct {
	line        int // from 1
	reason, fix string
}

// scanner tokenizes SQL like DuckDB's lexer, as far as needed to distinguish parameters,
// semicolons and the first word from the same characters in strings, quoted names and comments.
type scanner struct {
	sql   string
	at    int
	first string
	out   scanResult
	err   *scanError
	// lines is the number of line ends in sql[:counted].
	lines, counted int
}

// scanSQL finds the parameters of one SELECT statement and rejects everything else.
func scanSQL(sql string) (scanResult, *scanError) {
	s := &scanner{sql: sql, out: scanResult{end: -1}}
	for s.at < len(s.sql) && s.err == nil {
		s.step()
	}
	if s.out.end < 0 {
		s.out.end = len(sql)
	}
	if s.err == nil && s.first != "SELECT" && s.first != "WITH" {
		s.fail(0, "is not a query", "write one SELECT, or WITH … SELECT")
	}
	return s.out, s.err
}

// fail records the first error, at a byte of the SQL.
func (s *scanner) fail(at int, reason, fix string) {
	if s.err == nil {
		s.err = &scanError{1 + strings.Count(s.sql[:at], "\n"), reason, fix}
	}
}

// step scans one token, space or comment.
func (s *scanner) step() {
	rest := s.sql[s.at:]
	switch c := rest[0]; {
	case strings.IndexByte(" \t\r\n\f\v", c) >= 0:
		s.at++
	case strings.HasPrefix(rest, "--"):
		s.lineComment()
	case strings.HasPrefix(rest, "/*"):
		s.blockComment()
	default:
		s.token(c)
	}
}

// token scans a token.
func (s *scanner) token(c byte) {
	if s.out.end >= 0 && c != ';' {
		s.fail(s.at, "has several statements", "keep one: an endpoint is one query")
		return
	}
	if s.first == "" && !wordStart(c) {
		s.first = string(c)
	}
	switch {
	case c == ';':
		s.semicolon()
	case c == '\'':
		s.quoted('\'', false)
	case c == '"':
		s.quoted('"', false)
	case c == '$':
		s.dollar()
	case c == '?':
		s.fail(s.at, "has the parameter ?", "name it: $name")
	case wordStart(c):
		s.word()
	default:
		s.at++
	}
}

func (s *scanner) semicolon() {
	if s.out.end < 0 {
		s.out.end = s.at
	}
	s.at++
}

func (s *scanner) lineComment() {
	if i := strings.IndexByte(s.sql[s.at:], '\n'); i >= 0 {
		s.at += i
		return
	}
	s.at = len(s.sql)
}

// blockComment scans a comment; they nest.
func (s *scanner) blockComment() {
	start, depth := s.at, 0
	for s.at < len(s.sql) {
		switch rest := s.sql[s.at:]; {
		case strings.HasPrefix(rest, "/*"):
			depth++
			s.at += 2
		case strings.HasPrefix(rest, "*/"):
			depth--
			s.at += 2
		default:
			s.at++
		}
		if depth == 0 {
			return
		}
	}
	s.fail(start, "has a comment without an end", "close it with */")
}

// quoted scans a string or a quoted name. A doubled quote is a quote; with escapes, a backslash
// escapes the next character.
func (s *scanner) quoted(quote byte, escapes bool) {
	start := s.at
	for s.at++; s.at < len(s.sql); s.at++ {
		switch {
		case escapes && s.sql[s.at] == '\\':
			s.at++
		case s.sql[s.at] != quote:
		case strings.HasPrefix(s.sql[s.at+1:], string(quote)):
			s.at++
		default:
			s.at++
			return
		}
	}
	s.at = len(s.sql)
	s.fail(start, "has a quote without an end", fmt.Sprintf("close it with %c", quote))
}

// dollar scans $name, or a string such as $$text$$ or $tag$text$tag$.
func (s *scanner) dollar() {
	start := s.at
	end := s.at + 1
	for end < len(s.sql) && (wordStart(s.sql[end]) || end > start+1 && digit(s.sql[end])) {
		end++
	}
	name := s.sql[start+1 : end]
	switch {
	case end < len(s.sql) && s.sql[end] == '$':
		s.dollarQuoted(s.sql[start : end+1])
	case name == "":
		s.fail(start, "has a parameter without a name", "write $name")
	default:
		s.at = end
		s.lines += strings.Count(s.sql[s.counted:start], "\n")
		s.counted = start
		s.out.params = append(s.out.params, paramUse{name, start, end, 1 + s.lines})
	}
}

func (s *scanner) dollarQuoted(tag string) {
	from := s.at + len(tag)
	i := strings.Index(s.sql[from:], tag)
	if i < 0 {
		s.fail(s.at, "has a quote without an end", "close it with "+tag)
		return
	}
	s.at = from + i + len(tag)
}

// word scans a name or keyword, and the string of an E'…'.
func (s *scanner) word() {
	start := s.at
	for s.at < len(s.sql) && (wordStart(s.sql[s.at]) || digit(s.sql[s.at]) || s.sql[s.at] == '$') {
		s.at++
	}
	word := strings.ToUpper(s.sql[start:s.at])
	if s.first == "" {
		s.first = word
	}
	if word == "E" && s.at < len(s.sql) && s.sql[s.at] == '\'' {
		s.quoted('\'', true)
	}
}

func wordStart(c byte) bool {
	return c == '_' || c >= 0x80 || c|0x20 >= 'a' && c|0x20 <= 'z'
}

func digit(c byte) bool { return c >= '0' && c <= '9' }
