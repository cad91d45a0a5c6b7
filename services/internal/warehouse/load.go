package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// load is rows on their way into a table.
type load struct {
	into    table
	fields  []field // all columns of the table, in its order
	sources []source
	rows    int
}

// loads are what the batch adds: its rows and its rejects.
func (w *Warehouse) loads(ctx context.Context, s *session, b *contract.Batch, at time.Time) ([]load, error) {
	var all []load
	if b.Rows > 0 {
		lay, err := w.layout(ctx, s, b.Contract.Name)
		if err != nil {
			return nil, err
		}
		all = append(all, load{datasetTable(b.Contract.Name), lay.fields, lay.sources(b, at), b.Rows})
	}
	if len(b.Rejects) > 0 {
		sources, err := rejectSources(b, at)
		if err != nil {
			return nil, err
		}
		all = append(all, load{systemTable("rejects"), rejectFields, sources, len(b.Rejects)})
	}
	return all, nil
}

// staging is the temporary table that the load goes through.
func (l load) staging() load {
	l.into = temporary("stage " + l.into.schema + " " + l.into.name)
	return l
}

// stage fills the temporary tables that the transaction reads.
func (w *Warehouse) stage(ctx context.Context, s *session, loads []load, settled settled) error {
	if w.cfg.staged() {
		for _, l := range loads {
			if err := l.staging().create(ctx, s); err != nil {
				return err
			}
		}
	}
	if settled.rows > 0 {
		return settled.create(ctx, s)
	}
	return nil
}

// create makes the load's table, a temporary one, anew and fills it.
func (l load) create(ctx context.Context, s *session) error {
	create := "CREATE OR REPLACE TEMP TABLE " + quoteName(l.into.name) + " " + columnList(l.fields)
	if err := execAll(ctx, s.conn, create); err != nil {
		return err
	}
	return l.append(s)
}

func (l load) append(s *session) error {
	a, err := newAppender(s.raw, l.into)
	if err != nil {
		return err
	}
	defer a.close()
	if err := a.append(l.rows, l.sources); err != nil {
		return fmt.Errorf("append to %s: %w", l.into, err)
	}
	return nil
}

// store adds the rows to the table, directly or from their staging.
func (l load) store(ctx context.Context, s *session, staged bool) error {
	if !staged {
		return l.append(s)
	}
	from := l.staging().into
	insert := fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s", l.into, names(l.fields), names(l.fields), from)
	if err := execAll(ctx, s.conn, insert); err != nil {
		return fmt.Errorf("insert into %s: %w", l.into, err)
	}
	// Frees the memory; the next commit makes the table anew.
	return execAll(ctx, s.conn, "TRUNCATE "+from.String())
}

func rejectSources(b *contract.Batch, at time.Time) ([]source, error) {
	n := len(b.Rejects)
	ms, seq, line, hashes := make([]uint64, n), make([]uint64, n), make([]uint32, n), make([]uint64, n)
	var payloads, violations stringColumn
	for i, r := range b.Rejects {
		ms[i], seq[i], line[i] = r.ID.MS, r.ID.Seq, r.Line
		hashes[i] = xxh3.Hash(r.Payload)
		payloads.add(r.Payload)
		text, err := json.Marshal(r.Violations)
		if err != nil {
			return nil, fmt.Errorf("write violations of %s: %w", r.ID, err)
		}
		violations.add(text)
	}
	return []source{
		constantText(b.Contract.Name), constant(int32(b.Shard)), numbers(ms), numbers(seq), numbers(line),
		payloads.source(), numbers(hashes), violations.source(), constantText(b.Contract.Version), constant(at.UnixMicro()),
	}, nil
}

func constantText(text string) source {
	var c stringColumn
	c.add([]byte(text))
	s := c.source()
	s.same = true
	return s
}

// settled are stored rejects to delete, staged in a temporary table.
type settled struct{ load }

func replayed(b *contract.Batch) settled {
	n := len(b.Replayed)
	if n == 0 {
		return settled{}
	}
	return settled{load{temporary("replayed"), rejectKeyFields, placesOf(b, b.Replayed), n}}
}

// placesOf are the columns by which stored rejects are found: rejectKeyFields.
func placesOf(b *contract.Batch, rejects []event.Reject) []source {
	n := len(rejects)
	ms, seq, line, hashes := make([]uint64, n), make([]uint64, n), make([]uint32, n), make([]uint64, n)
	var payloads stringColumn
	for i, r := range rejects {
		ms[i], seq[i], line[i] = r.ID.MS, r.ID.Seq, r.Line
		hashes[i] = xxh3.Hash(r.Payload)
		payloads.add(r.Payload)
	}
	return []source{
		constantText(b.Contract.Name), constant(int32(b.Shard)),
		numbers(ms), numbers(seq), numbers(line), payloads.source(), numbers(hashes),
	}
}

// remove deletes the settled rejects.
func (l settled) remove(ctx context.Context, s *session) error {
	if l.rows == 0 {
		return nil
	}
	_, err := s.conn.ExecContext(ctx, `DELETE FROM warehouse.estela.rejects r USING temp.main.replayed d
		WHERE r.dataset = d.dataset AND r.shard = d.shard AND r.stream_ms = d.stream_ms AND r.stream_seq = d.stream_seq
		AND r.line = d.line AND r.payload_hash = d.payload_hash AND r.payload = d.payload`)
	if err != nil {
		return fmt.Errorf("delete replayed rejects: %w", err)
	}
	return nil
}
