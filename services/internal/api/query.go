package api

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"
	"maps"
	"strings"

	"github.com/zeebo/xxh3"

	"github.com/estela-dev/estela/services/internal/access"
	"github.com/estela-dev/estela/services/internal/encode"
	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/result"
	"github.com/estela-dev/estela/services/internal/spool"
)

// query runs the endpoint's query and encodes its answer, in the client's quota.
func (s *Server) query(ctx context.Context, client string, r *route, q request) (*entry, error) {
	sh, err := r.describe(ctx)
	if err != nil {
		return nil, err
	}
	p := endpoint.Page{After: q.after, Limit: roundedLimit(q.limit) + 1}
	for tries := 0; ; tries++ {
		e, err := s.runQuery(ctx, client, r, sh, q, p)
		tied, ok := errors.AsType[*tieError](err)
		if !ok {
			return e, err
		}
		// The rows may have changed in between, and others tie at the page's end.
		p.Ties, p.TieAll = tied.keys, tries > 1
	}
}

// runQuery runs one query and spools its encoded answer.
func (s *Server) runQuery(ctx context.Context, client string, r *route, sh *endpoint.Shape, q request, p endpoint.Page) (*entry, error) {
	query, args := r.Query(sh, p)
	maps.Copy(args, q.args)
	var sum hash.Hash64 // of a volatile answer: its ETag, instead of the snapshot's
	if r.volatile {
		sum = xxh3.New()
	}
	w := s.space.Writer(client, q.coding, s.cfg.MaxBytes, sum)
	finished := false
	defer func() {
		if !finished { // also after a panic
			w.Discard()
		}
	}()
	var m encode.Meta
	var at result.Snapshot
	err := s.cfg.Reader.Stream(ctx, query, args, func(now result.Snapshot, rows result.Rows) (err error) {
		at = now
		m, err = s.encodeRows(w, r, sh, q, at, rows)
		return err
	})
	var body *spool.Body
	if err == nil {
		body, err = w.Finish()
	}
	if err != nil {
		if ctx.Err() == nil && typedProblem(err) == nil && !errors.As(err, new(*tieError)) {
			// The tables may have changed since they were described.
			r.shape.Store(nil)
		}
		return nil, err
	}
	finished = true
	if sum == nil {
		return newEntry(r, q, body, m, at, snapshotHash(at)), nil
	}
	return newEntry(r, q, body, m, at, sum.Sum64()), nil
}

// encodeRows encodes up to q.limit rows. The query returns at least one more if there is one, from
// which it knows that there is a next page.
func (s *Server) encodeRows(w io.Writer, r *route, sh *endpoint.Shape, q request, at result.Snapshot, rows result.Rows) (encode.Meta, error) {
	m := encode.Meta{AsOf: at.AsOf}
	typed, ok := rows.(result.Typed)
	if !ok {
		return m, errors.New("the rows do not know their types")
	}
	columns := make([]encode.Column, len(sh.Columns)) // the order's keys come after them
	for i, t := range typed.Types()[:len(columns)] {
		columns[i] = encode.Column{Name: sh.Columns[i].Name, Type: t}
	}
	enc, err := q.format.begin(w, &r.Endpoint, sh, s.cfg.Reader.Parquet, columns)
	if err != nil {
		return m, err
	}
	if c, ok := enc.(io.Closer); ok {
		defer c.Close()
	}
	last := pageEnd{after: q.after}
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
				if last.lastTie == "" {
					return m, &tieError{last.Keys}
				}
				last.Tie, last.Given = last.lastTie, last.sameTie
			}
		}
	}
	switch {
	case more && q.cut:
		m.Cut = true
	case more && len(r.Order) == 0:
		return m, tooManyRows.new("", fmt.Sprintf("The answer has more than %d rows. %s", q.limit, r.narrowHint(q.pins)))
	case more:
		if m.Next, err = last.Text(r.CursorScope(r.path, q.args)); err != nil {
			return m, err
		}
	}
	return m, enc.End(m)
}

// narrowHint says how to get fewer rows from an endpoint without pages.
func (r *route) narrowHint(pins access.Pins) string {
	if len(r.Unpinned(pins.Values())) == 0 {
		return "The endpoint has no parameter to narrow it with: its author can page it with -- order:, or raise -- limit: rows=."
	}
	return "Narrow it with the endpoint's parameters; or its author pages it with -- order:."
}

// tieError is returned for a page that ends among rows with equal keys, which the query has
// not ordered: it runs again with endpoint.Page.Ties.
type tieError struct{ keys []*string }

func (*tieError) Error() string { return "the page ends among rows of the same keys" }

// pageEnd is the position after the last row of a page.
type pageEnd struct {
	endpoint.Cursor

	// after is the cursor that the page begins after, nil after the first row.
	after   *endpoint.Cursor
	lastTie string // of the last row, empty if the query did not order its ties
	sameTie int    // rows at the end with the same tie as the last
}

// read advances over the first n rows of a chunk's key and tie columns.
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
			p.sameTie = 0
		case p.after != nil && p.after.Tie == tie:
			p.sameTie = p.after.Given
		case p.lastTie != tie:
			p.sameTie = 0
		}
		p.sameTie++
		p.lastTie, p.after = strings.Clone(tie), nil
	}
}

// textAt returns a copy of a text, nil for NULL.
func textAt(v result.Vector, i int) *string {
	if v.Null(i) {
		return nil
	}
	text := strings.Clone(v.Text(i))
	return &text
}

// roundedLimit rounds limit up to a power of ten, so that the warehouse has few different queries
// to prepare.
func roundedLimit(limit int) int {
	n := 100
	for n < limit {
		n *= 10
	}
	return n
}
