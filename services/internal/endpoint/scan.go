package endpoint

import (
	"fmt"
	"strings"
)

// use is a parameter in a statement, $name, at SQL[start:end].
type use struct {
	name       string
	start, end int
	line       int // from 1
}

// scanned is what an endpoint needs to know of its SQL.
type scanned struct {
	params []use
	// end is where the statement ends, before a closing semicolon.
	end int
}

// scanError is a place in the SQL that can't be part of an endpoint.
type scanError struct {
	line        int // from 1
	reason, fix string
}

// scanner walks over SQL as DuckDB's lexer does, so far as to distinguish parameters,
// semicolons and the first word from what only resembles them, in strings,
// quoted names and comments.
type scanner struct {
	sql   string
	at    int
	first string
	out   scanned
	err   *scanError
	// lines are the line ends in sql[:counted].
	lines, counted int
}

// scanSQL finds the parameters of one SELECT statement and refuses anything else.
func scanSQL(sql string) (scanned, *scanError) {
	s := &scanner{sql: sql, out: scanned{end: -1}}
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

// fail sets the first error, at a byte of the SQL.
func (s *scanner) fail(at int, reason, fix string) {
	if s.err == nil {
		s.err = &scanError{1 + strings.Count(s.sql[:at], "\n"), reason, fix}
	}
}

// step goes over one token.
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

// token goes over what is neither space nor comment.
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

// blockComment goes over a comment, which may hold others.
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

// quoted goes over a string or a quoted name. A doubled quote stands for one, and
// where escapes are on, a backslash takes the character after it.
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

// dollar goes over $name, or over a string such as $$text$$ or $tag$text$tag$.
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
		s.out.params = append(s.out.params, use{name, start, end, 1 + s.lines})
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

// word goes over a name or keyword, and over the string of an E'…'.
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
