package warehouse

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/event"
)

const (
	// maxSpans bounds the queries of one lookup.
	maxSpans = 16
	// nearMS is the gap between two spans up to which they are merged in any case.
	nearMS = 2000
)

// span is a range of stream time in milliseconds, inclusive.
type span struct{ from, to uint64 }

// Lookup finds which of the candidate rows are stored or duplicates and which of the batch's
// rejects are stored. Its cost is that of the stream time to scan, not of the table's size: rows are in the
// order of stream time, so DuckDB skips other row groups.
func (w *Warehouse) Lookup(ctx context.Context, b *contract.Batch, candidates []event.Candidate) (event.Found, error) {
	var found event.Found
	err := w.lookups.Do(ctx, func(ctx context.Context, conn *database.Conn) error {
		if err := lookupRows(ctx, conn, b, candidates, &found); err != nil {
			return err
		}
		return lookupRejects(ctx, conn, b, &found)
	})
	if err != nil {
		return event.Found{}, fmt.Errorf("look up in %s:%d: %w", b.Contract.Name, b.Shard, err)
	}
	return found, nil
}

func lookupRows(ctx context.Context, conn *database.Conn, b *contract.Batch, candidates []event.Candidate, found *event.Found) error {
	if len(candidates) == 0 {
		return nil
	}
	if err := candidateLoad(b, candidates).create(ctx, conn); err != nil {
		return err
	}
	stored, duplicates := map[int]bool{}, map[int]bool{}
	for _, sp := range spansOf(b, candidates) {
		if err := lookupSpan(ctx, conn, b, sp, stored, duplicates); err != nil {
			return err
		}
	}
	found.Stored, found.Duplicates = slices.Sorted(maps.Keys(stored)), slices.Sorted(maps.Keys(duplicates))
	return database.ExecAll(ctx, conn, "TRUNCATE temp.main.candidates")
}

// candidateLoad returns the load of the candidates into a temporary table, so that keys are data and never
// SQL.
func candidateLoad(b *contract.Batch, candidates []event.Candidate) load {
	n := len(candidates)
	rows, numbers := make([]int, n), make([]int32, n)
	from, to := make([]uint64, n), make([]uint64, n)
	ms, seq, line := make([]uint64, n), make([]uint64, n), make([]uint32, n)
	for i, c := range candidates {
		rows[i], numbers[i], from[i], to[i] = c.Row, int32(c.Row), c.FromMS, c.ToMS
		ms[i], seq[i], line[i] = b.MS[c.Row], b.Seq[c.Row], b.Line[c.Row]
	}
	seqs := database.Numbers(seq)
	seqs.Null = b.Unstreamed // such a row has no ID to be found by
	l := load{
		into:   database.Temporary("candidates"),
		fields: database.Fields("n INTEGER", "from_ms UBIGINT", "to_ms UBIGINT", "ms UBIGINT", "seq UBIGINT", "line UINTEGER"),
		values: []database.Values{
			database.Numbers(numbers), database.Numbers(from), database.Numbers(to), database.Numbers(ms), seqs, database.Numbers(line),
		},
		rows: n,
	}
	for i, k := range b.Contract.Key {
		l.fields = append(l.fields, database.Fields("key"+strconv.Itoa(i)+" "+b.Contract.Columns[k].Type.String())...)
		l.values = append(l.values, database.Gather(&b.Columns[k], rows))
	}
	return l
}

// lookupSpan compares the candidates with the rows of one span.
func lookupSpan(ctx context.Context, conn *database.Conn, b *contract.Batch, sp span, stored, duplicates map[int]bool) error {
	rows, err := conn.QueryContext(ctx, spanQuery(b.Contract), b.Shard, database.Unsigned(sp.from), database.Unsigned(sp.to))
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var n int
		var here, elsewhere bool
		if err := rows.Scan(&n, &here, &elsewhere); err != nil {
			return err
		}
		if here {
			stored[n] = true
		}
		if elsewhere {
			duplicates[n] = true
		}
	}
	return rows.Err()
}

func spanQuery(c *contract.Contract) string {
	// Without a key a row is found by its place alone.
	same := []string{"t._stream_ms = c.ms AND t._stream_seq = c.seq AND t._line = c.line"}
	if len(c.Key) > 0 {
		same = nil
	}
	for i, k := range c.Key {
		same = append(same, "t."+database.QuoteName(c.Columns[k].Name)+" = c.key"+strconv.Itoa(i))
	}
	return `SELECT n, bool_or(here), bool_or(near AND NOT here) FROM (
		SELECT c.n, coalesce(t._stream_ms = c.ms AND t._stream_seq = c.seq AND t._line = c.line, false) AS here,
			t._stream_ms BETWEEN c.from_ms AND c.to_ms AS near
		FROM ` + datasetTable(c.Name).String() + ` t JOIN temp.main.candidates c ON ` + strings.Join(same, " AND ") + `
		WHERE t._shard = ? AND t._stream_ms BETWEEN ? AND ?
	) WHERE here OR near GROUP BY n`
}

// spansOf returns at most maxSpans spans that cover the times of all candidates and of their possible
// duplicates.
func spansOf(b *contract.Batch, candidates []event.Candidate) []span {
	all := make([]span, 0, 2*len(candidates))
	for _, c := range candidates {
		if c.FromMS <= c.ToMS {
			all = append(all, span{c.FromMS, c.ToMS})
		}
		if !b.Unstreamed {
			all = append(all, span{b.MS[c.Row], b.MS[c.Row]})
		}
	}
	return fewSpans(merged(all, nearMS))
}

// merged merges spans that overlap or are at most gap apart.
func merged(spans []span, gap uint64) []span {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.from, b.from) })
	var out []span
	for _, s := range spans {
		if last := len(out) - 1; last >= 0 && s.from <= out[last].to+gap {
			out[last].to = max(out[last].to, s.to)
			continue
		}
		out = append(out, s)
	}
	return out
}

// fewSpans merges spans across the smallest gaps until at most maxSpans are left.
func fewSpans(spans []span) []span {
	if len(spans) <= maxSpans {
		return spans
	}
	gaps := make([]uint64, 0, len(spans)-1)
	for i := 1; i < len(spans); i++ {
		gaps = append(gaps, spans[i].from-spans[i-1].to)
	}
	slices.Sort(gaps)
	return merged(spans, gaps[len(gaps)-maxSpans])
}

// lookupRejects looks up all rejects of the batch by ID, line and bytes.
func lookupRejects(ctx context.Context, conn *database.Conn, b *contract.Batch, found *event.Found) error {
	if len(b.Rejects) == 0 {
		return nil
	}
	n := make([]int32, len(b.Rejects))
	sp := span{b.Rejects[0].ID.MS, b.Rejects[0].ID.MS}
	for i, r := range b.Rejects {
		n[i] = int32(i)
		sp = span{min(sp.from, r.ID.MS), max(sp.to, r.ID.MS)}
	}
	l := load{
		database.Temporary("rejected"), slices.Concat(database.Fields("n INTEGER"), rejectKeyFields),
		slices.Concat([]database.Values{database.Numbers(n)}, rejectKeys(b, b.Rejects)), len(b.Rejects),
	}
	if err := l.create(ctx, conn); err != nil {
		return err
	}
	var err error
	found.Rejects, err = database.Collect(ctx, conn, database.Scan[int], `SELECT DISTINCT d.n FROM warehouse.estela.rejects r JOIN temp.main.rejected d
		ON r.stream_ms = d.stream_ms AND r.stream_seq = d.stream_seq AND r.line = d.line
			AND r.payload_hash = d.payload_hash AND r.payload = d.payload
		WHERE r.dataset = ? AND r.shard = ? AND r.stream_ms BETWEEN ? AND ? ORDER BY 1`,
		b.Contract.Name, b.Shard, database.Unsigned(sp.from), database.Unsigned(sp.to))
	return err
}
