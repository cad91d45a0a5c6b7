package statement

import (
	"regexp"
	"strings"
)

// View is a CREATE VIEW statement.
type View struct {
	Name string
	// Body is the view's query, which begins at the byte At of the text.
	Body string
	At   int
	// Text is the whole statement, which ends where Body does.
	Text string
}

var (
	// viewToken matches a semicolon, and tokens that may contain one.
	viewToken = regexp.MustCompile(`'(?:[^']|'')*'|"(?:[^"]|"")*"|\$\$(?s:.*?)\$\$|--[^\n\r]*|/\*(?s:.*?)\*/|;`)
	viewSpace = regexp.MustCompile(`^(?:\s|--[^\n\r]*[\n\r])*`)
	// No comment may come before AS: this regular expression and DuckDB could read it differently.
	viewHead = regexp.MustCompile(`(?is)^create\s+(?:or\s+replace\s+)?view\s+(?:if\s+not\s+exists\s+)?((?:"[^"]+"|\w+)(?:\.(?:"[^"]+"|\w+))*)\s*(?:\([\w\s,"]*\))?\s*\bas\b`)
	viewName = regexp.MustCompile(`^(?:"([^"]+)"|(\w+))$`)
)

// Views parses views.sql: CREATE VIEW statements and nothing else. It does not check that a body
// is one SELECT; Check does.
func Views(text string) ([]View, *FaultError) {
	var all []View
	for start := 0; start < len(text); {
		start += len(viewSpace.FindString(text[start:]))
		end := start
		for end < len(text) && text[end] != ';' {
			token := viewToken.FindStringIndex(text[end:])
			if token == nil {
				end = len(text)
				break
			}
			end += token[0]
			if text[end] != ';' {
				end += token[1] - token[0]
			}
		}
		if strings.TrimSpace(text[start:end]) != "" && (end < len(text) || !strings.HasPrefix(text[start:], "--")) {
			v, fault := view(text[start:end], start)
			if fault != nil {
				return nil, fault
			}
			all = append(all, v)
		}
		start = end + 1
	}
	return all, nil
}

func view(text string, at int) (View, *FaultError) {
	head := viewHead.FindStringSubmatchIndex(text)
	if head == nil {
		return View{}, &FaultError{at, "has a statement that is no CREATE VIEW", "write CREATE OR REPLACE VIEW name AS SELECT …, with comments above CREATE or after AS"}
	}
	name := viewName.FindStringSubmatch(text[head[2]:head[3]])
	if name == nil {
		return View{}, &FaultError{at, "names the schema of the view " + text[head[2]:head[3]], "write the name alone"}
	}
	return View{strings.ToLower(name[1] + name[2]), text[head[1]:], at + head[1], text}, nil
}

// ViewOf parses a view's statement in duckdb_views(); false if it has no CREATE VIEW.
func ViewOf(name, sql string) (View, bool) {
	sql = strings.TrimRight(strings.TrimSpace(sql), ";")
	head := viewHead.FindStringIndex(sql)
	if head == nil {
		return View{}, false
	}
	return View{strings.ToLower(name), sql[head[1]:], head[1], sql}, true
}
