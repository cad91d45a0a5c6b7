package api

import (
	"strings"

	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/result"
)

// borderError is a page that ends among rows of the same keys, whose order was left open.
type borderError struct{ keys []*string }

func (*borderError) Error() string { return "the page ends among rows of the same keys" }

// pageEnd is where a page ends.
type pageEnd struct {
	endpoint.Cursor

	// after is the cursor that the page begins after, until another row has come.
	after *endpoint.Cursor
	tie   string // of the last row, empty if its position among its like was not asked for
	same  int    // rows at the end with the same tie
}

// read goes over the first n rows of a chunk: their keys, whether these are those of the row
// before, and their ties.
func (p *pageEnd) read(keys []result.Vector, n int) {
	if n == 0 {
		return
	}
	columns := len(keys) - 2
	p.Keys = make([]*string, columns)
	for i := range p.Keys {
		p.Keys[i] = textAt(keys[i], n-1)
	}
	for i := range n {
		tie := ""
		if v := keys[columns+1]; !v.Null(i) {
			tie = v.Text(i)
		}
		switch {
		case tie == "":
			p.same = 0
		case p.after != nil && p.after.Tie == tie:
			p.same = p.after.Given
		case p.tie != tie:
			p.same = 0
		}
		p.same++
		p.tie, p.after = strings.Clone(tie), nil
	}
}

// textAt is a copy of a text, nil for NULL.
func textAt(v result.Vector, i int) *string {
	if v.Null(i) {
		return nil
	}
	text := strings.Clone(v.Text(i))
	return &text
}

// fetched is the number of rows that the query is limited to, limit or somewhat
// more: a few round numbers, so that there are few different queries for the
// warehouse to know.
func fetched(limit int) int {
	n := 100
	for n < limit {
		n *= 10
	}
	return n
}
