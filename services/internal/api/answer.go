package api

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/estela-dev/estela/services/internal/encode"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/result"
)

// produce runs the endpoint's query and writes its answer, into the client's room.
func (s *Server) produce(ctx context.Context, client string, r *route, q request) (*entry, error) {
	sh, err := r.describe(ctx)
	if err != nil {
		return nil, err
	}
	p := endpoint.Page{After: q.after, Limit: fetched(q.limit) + 1}
	for tries := 0; ; tries++ {
		e, err := s.run(ctx, client, r, sh, q, p)
		border, ok := errors.AsType[*borderError](err)
		if !ok {
			return e, err
		}
		// The rows may have changed in between, and others be at the border.
		p.Border, p.All = border.keys, tries > 1
	}
}

// borderError says that a page ends among rows of the same keys, whose order was left open.
type borderError struct{ keys []*string }

func (*borderError) Error() string { return "the page ends among rows of the same keys" }

// run writes the answer of one query.
func (s *Server) run(ctx context.Context, client string, r *route, sh *endpoint.Shape, q request, p endpoint.Page) (*entry, error) {
	query, args := r.Query(sh, p)
	maps.Copy(args, q.args)
	sp := &spool{coding: q.coding, limit: s.cfg.MaxBytes, room: s.room, client: client}
	if r.volatile {
		sp.hash = xxh3.New()
	}
	kept := false
	defer func() {
		if !kept { // after a panic too
			sp.drop()
		}
	}()
	var m encode.Meta
	var at result.Snapshot
	err := s.cfg.Reader.Stream(ctx, query, args, func(now result.Snapshot, rows result.Rows) (err error) {
		at = now
		m, err = r.write(sp, sh, q, at, rows)
		return err
	})
	if err == nil {
		err = sp.end()
	}
	if err != nil {
		var border *borderError
		if ctx.Err() == nil && knownProblem(err) == nil && !errors.As(err, &border) {
			// The tables may have changed since the shape was learnt.
			r.shape.Store(nil)
		}
		return nil, err
	}
	kept = true
	return newEntry(r, q, sp, m, at), nil
}

// write writes the rows, of which there may be one more than the limit at the least.
func (r *route) write(sp *spool, sh *endpoint.Shape, q request, at result.Snapshot, rows result.Rows) (encode.Meta, error) {
	m := encode.Meta{AsOf: at.AsOf}
	typed, ok := rows.(result.Typed)
	if !ok {
		return m, errors.New("the rows do not know their types")
	}
	columns := make([]encode.Column, len(sh.Columns)) // after them are the keys of the order
	for i, t := range typed.Types()[:len(columns)] {
		columns[i] = encode.Column{Name: sh.Columns[i].Name, Type: t}
	}
	enc, err := q.format.begin(sp, &r.Endpoint, columns)
	if err != nil {
		return m, err
	}
	last := place{after: q.after}
	more := false
	for !more {
		chunk, err := rows.Next()
		if err != nil {
			return m, err
		}
		if chunk == nil {
			break
		}
		n := min(chunk.Rows, q.limit-m.Rows)
		more = n < chunk.Rows
		if n > 0 {
			if err := enc.Rows(chunk, n); err != nil {
				return m, err
			}
			m.Rows += n
		}
		if len(r.Order) > 0 {
			keys := chunk.Vectors[len(sh.Columns):]
			last.read(keys, n)
			if more && result.At[bool](keys[len(r.Order)], n) {
				if last.tie == "" {
					return m, &borderError{last.Keys}
				}
				last.Tie, last.Given = last.tie, last.same
			}
		}
	}
	switch {
	case more && len(r.Order) == 0:
		return m, tooManyRows.new("", fmt.Sprintf("The answer has more than %d rows. %s", q.limit, r.narrower()))
	case more:
		if m.Next, err = last.Text(r.Asked(r.path, q.args)); err != nil {
			return m, err
		}
	}
	return m, enc.End(m)
}

// narrower is what helps against an answer in one piece that is too large.
func (r *route) narrower() string {
	if len(r.Params) == 0 {
		return "The endpoint has no parameter to narrow it with: its author can page it with -- order:, or raise -- limit: rows=."
	}
	return "Narrow it with the endpoint's parameters; or its author pages it with -- order:."
}

// place is where a page ends.
type place struct {
	endpoint.Cursor

	// after is the cursor that the page begins after, until another row has come.
	after *endpoint.Cursor
	tie   string // of the last row, empty if its place among its like was not asked for
	same  int    // rows at the end that the tie does not tell apart
}

// read goes over the first n rows of a chunk: their keys, whether these are those of the row
// before, and their ties.
func (p *place) read(keys []result.Vector, n int) {
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
