package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/event"
)

// load is rows on their way into a table.
type load struct {
	into    database.Table
	fields  []database.Field // all columns of the table, in its order
	sources []database.Values
	rows    int
}

// loads are what the batch adds: its rows and its rejects.
func (w *Warehouse) loads(ctx context.Context, conn *database.Conn, b *contract.Batch, at time.Time) ([]load, error) {
	var all []load
	if b.Rows > 0 {
		lay, err := w.layout(ctx, conn, b.Contract.Name)
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
	l.into = database.Temporary("stage " + l.into.Schema + " " + l.into.Name)
	return l
}

// stage fills the temporary tables that the transaction reads.
func (w *Warehouse) stage(ctx context.Context, conn *database.Conn, loads []load, settled settled) error {
	if w.staged() {
		for _, l := range loads {
			if err := l.staging().create(ctx, conn); err != nil {
				return err
			}
		}
	}
	if settled.rows > 0 {
		return settled.create(ctx, conn)
	}
	return nil
}

// create makes the load's table, a temporary one, anew and fills it.
func (l load) create(ctx context.Context, conn *database.Conn) error {
	create := "CREATE OR REPLACE TEMP TABLE " + database.QuoteName(l.into.Name) + " " + database.ColumnList(l.fields)
	if err := database.ExecAll(ctx, conn, create); err != nil {
		return err
	}
	return l.append(conn)
}

func (l load) append(conn *database.Conn) error {
	a, err := conn.NewAppender(l.into)
	if err != nil {
		return err
	}
	defer a.Close()
	if err := a.Append(l.rows, l.sources); err != nil {
		return fmt.Errorf("append to %s: %w", l.into, err)
	}
	return nil
}

// store adds the rows to the table, directly or from their staging.
func (l load) store(ctx context.Context, conn *database.Conn, staged bool) error {
	if !staged {
		return l.append(conn)
	}
	from := l.staging().into
	insert := fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s", l.into, database.Names(l.fields), database.Names(l.fields), from)
	if err := database.ExecAll(ctx, conn, insert); err != nil {
		return fmt.Errorf("insert into %s: %w", l.into, err)
	}
	// Frees the memory; the next commit makes the table anew.
	return database.ExecAll(ctx, conn, "TRUNCATE "+from.String())
}

func rejectSources(b *contract.Batch, at time.Time) ([]database.Values, error) {
	n := len(b.Rejects)
	ms, seq, line, hashes := make([]uint64, n), make([]uint64, n), make([]uint32, n), make([]uint64, n)
	var payloads, violations database.Texts
	for i, r := range b.Rejects {
		ms[i], seq[i], line[i] = r.ID.MS, r.ID.Seq, r.Line
		hashes[i] = xxh3.Hash(r.Payload)
		payloads.Add(r.Payload)
		text, err := json.Marshal(r.Violations)
		if err != nil {
			return nil, fmt.Errorf("write violations of %s: %w", r.ID, err)
		}
		violations.Add(text)
	}
	return []database.Values{
		database.ConstantText(b.Contract.Name), database.Constant(int32(b.Shard)), database.Numbers(ms), database.Numbers(seq), database.Numbers(line),
		payloads.Values(), database.Numbers(hashes), violations.Values(), database.ConstantText(b.Contract.Version), database.Constant(at.UnixMicro()),
	}, nil
}

// settled are stored rejects to delete, staged in a temporary table.
type settled struct{ load }

func replayed(b *contract.Batch) settled {
	n := len(b.Replayed)
	if n == 0 {
		return settled{}
	}
	return settled{load{database.Temporary("replayed"), rejectKeyFields, placesOf(b, b.Replayed), n}}
}

// placesOf are the columns by which stored rejects are found: rejectKeyFields.
func placesOf(b *contract.Batch, rejects []event.Reject) []database.Values {
	n := len(rejects)
	ms, seq, line, hashes := make([]uint64, n), make([]uint64, n), make([]uint32, n), make([]uint64, n)
	var payloads database.Texts
	for i, r := range rejects {
		ms[i], seq[i], line[i] = r.ID.MS, r.ID.Seq, r.Line
		hashes[i] = xxh3.Hash(r.Payload)
		payloads.Add(r.Payload)
	}
	return []database.Values{
		database.ConstantText(b.Contract.Name), database.Constant(int32(b.Shard)),
		database.Numbers(ms), database.Numbers(seq), database.Numbers(line), payloads.Values(), database.Numbers(hashes),
	}
}

// remove deletes the settled rejects.
func (l settled) remove(ctx context.Context, conn *database.Conn) error {
	if l.rows == 0 {
		return nil
	}
	_, err := conn.ExecContext(ctx, `DELETE FROM warehouse.estela.rejects r USING temp.main.replayed d
		WHERE r.dataset = d.dataset AND r.shard = d.shard AND r.stream_ms = d.stream_ms AND r.stream_seq = d.stream_seq
		AND r.line = d.line AND r.payload_hash = d.payload_hash AND r.payload = d.payload`)
	if err != nil {
		return fmt.Errorf("delete replayed rejects: %w", err)
	}
	return nil
}
