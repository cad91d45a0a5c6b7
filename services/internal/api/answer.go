package api

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"time"
)

// answer is one page of an endpoint, ready to be sent.
type answer struct {
	body []byte
	// asOf is the time of the last commit that it shows; zero if there is none.
	asOf time.Time
}

// answer runs the endpoint's query.
func (s *Server) answer(ctx context.Context, r *route, q request) (answer, error) {
	sh, err := s.shape(ctx, r)
	if err != nil {
		return answer{}, err
	}
	query, args := r.page(sh, q.behind, fetched(q.limit)+1)
	maps.Copy(q.args, args)
	var a answer
	err = s.cfg.Reader.Read(ctx, query, q.args, func(asOf time.Time, rows *sql.Rows) error {
		a.asOf = asOf
		w := writer{sh: sh, body: append(make([]byte, 0, 4<<10), `{"data":[`...)}
		if err := w.rows(rows, q.limit); err != nil {
			return err
		}
		if w.more && len(r.Order) == 0 {
			return tooManyRows.new("", fmt.Sprintf("The answer has more than %d rows. Narrow it with the endpoint's parameters.", q.limit))
		}
		a.body = w.meta(asOf, r.asked(q.asked))
		return nil
	})
	var p *problem
	if err != nil && ctx.Err() == nil && !errors.As(err, &p) {
		// The tables may have changed since the shape was learnt.
		r.shape.Store(nil)
	}
	return a, err
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

// writer writes rows as the answer's JSON.
type writer struct {
	sh     *shape
	body   []byte
	values []any // of the row last read
	last   []*string
	count  int
	more   bool
}

// rows writes up to limit rows and notes whether there are more.
func (w *writer) rows(rows *sql.Rows, limit int) error {
	w.values = make([]any, len(w.sh.columns)+len(w.sh.order))
	into := make([]any, len(w.values))
	for i := range into {
		into[i] = &w.values[i]
	}
	for rows.Next() {
		if w.count == limit {
			w.more = true
			w.keep()
			return rows.Err()
		}
		if err := rows.Scan(into...); err != nil {
			return fmt.Errorf("read row: %w", err)
		}
		w.row()
	}
	return rows.Err()
}

// row writes the row that was read.
func (w *writer) row() {
	if w.count > 0 {
		w.body = append(w.body, ',')
	}
	w.count++
	for i, c := range w.sh.columns {
		w.body = append(w.body, "{,"[min(i, 1)])
		w.body = append(appendString(w.body, c.name), ':')
		w.body = c.form.append(w.body, w.values[i])
	}
	w.body = append(w.body, '}')
}

// keep notes the keys of the last row written, whose values are still there: the
// row after it was not scanned.
func (w *writer) keep() {
	for _, value := range w.values[len(w.sh.columns):] {
		var key *string
		if text, ok := value.(string); ok {
			key = &text
		}
		w.last = append(w.last, key)
	}
}

// meta closes the document.
func (w *writer) meta(asOf time.Time, asked string) []byte {
	b := append(w.body, `],"meta":{"as_of":`...)
	if asOf.IsZero() {
		b = append(b, "null"...)
	} else {
		b = asInstant.appendTime(b, asOf.UTC())
	}
	b = append(b, `,"rows":`...)
	b = strconv.AppendInt(b, int64(w.count), 10)
	b = append(b, `,"next":`...)
	if w.more {
		b = appendString(b, newCursor(asked, w.last))
	} else {
		b = append(b, "null"...)
	}
	return append(b, "}}\n"...)
}
