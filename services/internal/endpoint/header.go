package endpoint

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/fault"
)

// directives are the parsers of a header's directives by name.
var directives = map[string]func(*parser, string){
	"param":  (*parser).param,
	"column": (*parser).column,
	"order":  (*parser).order,
	"cache":  (*parser).cache,
	"chart":  (*parser).chart,
	"limit":  (*parser).limit,
	"reads":  (*parser).reads,
}

// repeatable are the directives of which a header may have several, each about another name.
var repeatable = []string{"param", "column"}

const knownDirectives = "param, column, order, cache, chart, limit and reads"

var (
	endpointName = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)
	directive    = regexp.MustCompile(`^([a-z][a-z_-]*):(?:\s+(.*))?$`)
)

// IsName reports whether an endpoint can be called that: it is the last part of its path.
func IsName(name string) bool { return endpointName.MatchString(name) }

// Parse parses an endpoint file. It returns all errors together, each a *ParseError.
func Parse(file, text string) (Endpoint, error) {
	p := &parser{Endpoint: Endpoint{Name: strings.TrimSuffix(path.Base(file), ".sql"), File: file}, seen: map[string]int{}}
	if !endpointName.MatchString(p.Name) {
		p.fail(fmt.Sprintf("the name %q can't be a path", p.Name), "name the file in lower case letters, digits, - and _, beginning with a letter")
	}
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		p.fail("is not UTF-8 text", "save it as UTF-8")
		return p.Endpoint, errors.Join(p.errs...)
	}
	p.header(strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n"))
	p.body()
	return p.Endpoint, errors.Join(p.errs...)
}

// header parses the leading comment lines; the rest is the SQL.
func (p *parser) header(lines []string) {
	var text []string
	i := 0
	for ; i < len(lines); i++ {
		line := strings.TrimSpace(lines[i])
		comment, ok := strings.CutPrefix(line, "--")
		if !ok && (line != "" || p.Summary != "") {
			break
		}
		if ok {
			p.line = i + 1
			text = p.comment(strings.TrimSpace(comment), text)
		}
	}
	p.Description = paragraphs(text)
	p.SQL, p.Line = strings.Join(lines[i:], "\n"), i+1
	if p.Summary == "" {
		p.failAt(1, "has no summary", "begin the file with a comment line that says what it answers")
	}
}

// comment parses one line of the header and returns the description's lines so far.
func (p *parser) comment(line string, text []string) []string {
	match := directive.FindStringSubmatch(line)
	switch {
	case match != nil && p.Summary == "":
		p.fail(match[1]+": comes before the summary", "the first line says in words what the endpoint answers")
	case match != nil:
		p.directive(match[1], strings.TrimSpace(match[2]))
	case p.Summary == "":
		p.Summary = line
	default:
		return append(text, line)
	}
	return text
}

func paragraphs(lines []string) string {
	var all []string
	for p := range strings.SplitSeq(strings.Join(lines, "\n"), "\n\n") {
		if p = strings.Join(strings.Fields(p), " "); p != "" {
			all = append(all, p)
		}
	}
	return strings.Join(all, "\n\n")
}

func (p *parser) directive(name, value string) {
	read, ok := directives[name]
	if !ok {
		p.fail(fmt.Sprintf("unknown directive %q%s", name+":", fault.DidYouMean(name, slices.Sorted(maps.Keys(directives)))),
			"there are "+knownDirectives+"; a line of the description must not begin with a lower case word and a colon")
		return
	}
	if !slices.Contains(repeatable, name) && p.duplicate(name, name) {
		return
	}
	read(p, value)
}

// body scans the SQL below the header and adds the parameters' casts.
func (p *parser) body() {
	for i, line := range strings.Split(p.SQL, "\n") {
		comment, ok := strings.CutPrefix(strings.TrimSpace(line), "--")
		match := directive.FindStringSubmatch(strings.TrimSpace(comment))
		if ok && match != nil && directives[match[1]] != nil {
			p.failAt(p.Line+i, match[1]+": stands below the header", "move it up, above the first line that is no comment")
		}
	}
	s, err := scanSQL(p.SQL)
	if err != nil {
		p.failAt(p.Line+err.line-1, err.reason, err.fix)
		return
	}
	p.typeParams(s)
	p.unused(s)
}

// typeParams builds castSQL: each parameter becomes a cast to its type.
func (p *parser) typeParams(s scanResult) {
	var b strings.Builder
	at := 0
	read := len(p.errs) == 0 // else a declaration may have failed to parse
	for _, use := range s.params {
		i := slices.IndexFunc(p.Params, func(q Param) bool { return q.Name == use.name })
		if i < 0 && !read {
			continue
		}
		if i < 0 {
			p.failAt(p.Line+use.line-1, fmt.Sprintf("the parameter $%s is not declared", use.name),
				fmt.Sprintf("add to the header: -- param: %s TYPE -- DESCRIPTION", use.name))
			continue
		}
		b.WriteString(p.SQL[at:use.start])
		sqlType, _ := contract.ScalarType(p.Params[i].Type)
		fmt.Fprintf(&b, "CAST($%s AS %s)", use.name, sqlType)
		at = use.end
	}
	b.WriteString(p.SQL[at:s.end])
	p.castSQL = b.String()
}

func (p *parser) unused(s scanResult) {
	for _, q := range p.Params {
		used := func(u paramUse) bool { return u.name == q.Name }
		if !slices.ContainsFunc(s.params, used) {
			p.failAt(p.seen["param "+q.Name], fmt.Sprintf("the parameter %s is never used", q.Name),
				fmt.Sprintf("use $%s in the SQL or remove the line", q.Name))
		}
	}
}
