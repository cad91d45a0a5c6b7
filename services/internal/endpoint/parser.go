package endpoint

import "fmt"

// parser reads one endpoint file and collects what is wrong with it.
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

// repeated remembers where key was seen first and fails if it was.
func (p *parser) repeated(key, what string) bool {
	first, ok := p.seen[key]
	if ok {
		p.fail(fmt.Sprintf("%s is declared on line %d already", what, first), "remove one of the two")
		return true
	}
	p.seen[key] = p.line
	return false
}
