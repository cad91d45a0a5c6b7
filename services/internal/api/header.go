package api

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/estela-dev/estela/services/internal/contract"
)

// parser reads one endpoint file and collects what is wrong with it.
type parser struct {
	Endpoint

	line int            // of the file, from 1
	seen map[string]int // directive or parameter -> its line
	errs []error
}

// directives are what may stand in a header before a colon.
var directives = map[string]func(*parser, string){
	"param": (*parser).param,
	"order": (*parser).order,
	"cache": (*parser).cache,
	"chart": (*parser).chart,
	"limit": (*parser).limit,
	"reads": (*parser).reads,
}

const knownDirectives = "param, order, cache, chart, limit and reads"

var (
	directive   = regexp.MustCompile(`^([a-z][a-z_-]*):(?:\s+(.*))?$`)
	datasetName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	columnName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	columnInKey = regexp.MustCompile(`^(x|y)=([A-Za-z_][A-Za-z0-9_]*)$`)
	chartKinds  = []string{"bar", "line", "area", "scatter"}
)

// Parse reads an endpoint file. All of its errors are reported at once, each as
// a ParseError.
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

// fail notes an error on the current line.
func (p *parser) fail(reason, fix string) { p.failAt(p.line, reason, fix) }

func (p *parser) failAt(line int, reason, fix string) {
	p.errs = append(p.errs, &ParseError{p.File, line, reason, fix})
}

// header reads the leading comment lines and leaves the rest as the SQL.
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

// comment reads one line of the header and returns the description so far.
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
		p.fail(fmt.Sprintf("unknown directive %q", name+":"),
			"there are "+knownDirectives+"; a line of the description must not begin with a lower case word and a colon")
		return
	}
	if name != "param" && p.repeated(name, name) {
		return
	}
	read(p, value)
}

// repeated notes where key was seen first and fails if it was.
func (p *parser) repeated(key, what string) bool {
	first, ok := p.seen[key]
	if ok {
		p.fail(fmt.Sprintf("%s is declared on line %d already", what, first), "remove one of the two")
		return true
	}
	p.seen[key] = p.line
	return false
}

func (p *parser) order(value string) {
	p.orderLine = p.line
	for part := range strings.SplitSeq(value, ",") {
		fields := strings.Fields(part)
		if !validOrder(fields) {
			p.fail(fmt.Sprintf("%q is no order", strings.TrimSpace(part)), "write COLUMN [asc|desc], …")
			return
		}
		same := func(o Order) bool { return o.Column == fields[0] }
		if slices.ContainsFunc(p.Order, same) {
			p.fail("order names "+fields[0]+" twice", "name each column once")
			return
		}
		p.Order = append(p.Order, Order{fields[0], len(fields) == 2 && fields[1] == "desc"})
	}
}

func validOrder(fields []string) bool {
	switch len(fields) {
	case 1:
		return columnName.MatchString(fields[0])
	case 2:
		return columnName.MatchString(fields[0]) && (fields[1] == "asc" || fields[1] == "desc")
	default:
		return false
	}
}

func (p *parser) cache(value string) {
	d, err := time.ParseDuration(value)
	if err != nil || d < 0 || d > 24*time.Hour {
		p.fail(fmt.Sprintf("%q is no time to cache", value), "write a duration from 0s to 24h, such as 2s")
		return
	}
	p.Cache = d
}

func (p *parser) chart(value string) {
	const fix = "write bar, line, area or scatter and then x=COLUMN y=COLUMN"
	fields := strings.Fields(value)
	if len(fields) != 3 || !slices.Contains(chartKinds, fields[0]) {
		p.fail(fmt.Sprintf("%q is no chart", value), fix)
		return
	}
	axes := map[string]string{}
	for _, field := range fields[1:] {
		if match := columnInKey.FindStringSubmatch(field); match != nil {
			axes[match[1]] = match[2]
		}
	}
	if len(axes) != 2 {
		p.fail(fmt.Sprintf("%q is no chart", value), fix)
		return
	}
	p.chartLine = p.line
	p.Chart = &Chart{Kind: fields[0], X: axes["x"], Y: axes["y"]}
}

// The highest limits that an endpoint may set itself.
const (
	maxLimitRows = 100_000_000
	maxLimitTime = time.Hour
)

func (p *parser) limit(value string) {
	fix := fmt.Sprintf("write rows=N, up to %d, or time=DURATION, up to %s, or both", maxLimitRows, maxLimitTime)
	fields := strings.Fields(value)
	ok := len(fields) > 0
	for _, field := range fields {
		key, text, _ := strings.Cut(field, "=")
		var err error
		switch key {
		case "rows":
			p.Limit.Rows, err = strconv.Atoi(text)
			ok = ok && p.Limit.Rows > 0 && p.Limit.Rows <= maxLimitRows
		case "time":
			p.Limit.Time, err = time.ParseDuration(text)
			ok = ok && p.Limit.Time > 0 && p.Limit.Time <= maxLimitTime
		default:
			ok = false
		}
		ok = ok && err == nil
	}
	if !ok {
		p.fail(fmt.Sprintf("%q is no limit", value), fix)
	}
}

// body checks the SQL below the header and types its parameters.
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

// typeParams puts a cast around each parameter of the statement.
func (p *parser) typeParams(s scanned) {
	var b strings.Builder
	at := 0
	read := len(p.errs) == 0 // else what is wrong may be why one is not declared
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
	p.typed = b.String()
}

func (p *parser) unused(s scanned) {
	for _, q := range p.Params {
		used := func(u use) bool { return u.name == q.Name }
		if !slices.ContainsFunc(s.params, used) {
			p.failAt(p.seen["param "+q.Name], fmt.Sprintf("the parameter %s is never used", q.Name),
				fmt.Sprintf("use $%s in the SQL or remove the line", q.Name))
		}
	}
}
