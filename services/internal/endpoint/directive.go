package endpoint

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// parser parses one endpoint file and collects its errors.
type parser struct {
	Endpoint

	line int            // of the file, from 1
	seen map[string]int // directive or parameter -> its line
	errs []error
}

// fail adds an error on the current line.
func (p *parser) fail(reason, fix string) { p.failAt(p.line, reason, fix) }

func (p *parser) failAt(line int, reason, fix string) {
	p.errs = append(p.errs, &ParseError{File: p.File, Line: line, Reason: reason, Fix: fix})
}

// duplicate adds an error and returns true if key was declared before.
func (p *parser) duplicate(key, what string) bool {
	first, ok := p.seen[key]
	if ok {
		p.fail(fmt.Sprintf("%s is declared on line %d already", what, first), "remove one of the two")
		return true
	}
	p.seen[key] = p.line
	return false
}

var (
	datasetName = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
	columnName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

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

// reads parses the list of other datasets.
func (p *parser) reads(value string) {
	p.readsLine = p.line
	for name := range strings.SplitSeq(value, ",") {
		name = strings.TrimSpace(name)
		if !datasetName.MatchString(name) || slices.Contains(p.Reads, name) {
			p.fail(fmt.Sprintf("%q is no list of datasets", value), "write each other dataset that the endpoint reads once: -- reads: NAME, …")
			return
		}
		p.Reads = append(p.Reads, name)
	}
}
