package warehouse

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/zeebo/xxh3"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/event"
)

// load is rows to be appended to a table.
type load struct {
	into   database.Table
	fields []database.Field // all columns of the table, in its order
	values []database.Values
	rows   int
}

// loads returns the loads of the batch: its rows and its rejects. stored is how many rows its shard has stored.
func (w *Warehouse) loads(ctx context.Context, conn *database.Conn, b *contract.Batch, stored int64, at time.Time) ([]load, error) {
	var all []load
	if b.Rows > 0 {
		lay, err := w.layout(ctx, conn, b.Contract.Name)
		if err != nil {
			return nil, err
		}
		if stored >= compressFrom {
			w.fitCompression(ctx, conn, b.Contract.Name, lay)
		}
		all = append(all, load{datasetTable(b.Contract.Name), lay.fields, lay.values(b, at), b.Rows})
	}
	if len(b.Rejects) > 0 {
		values, err := rejectValues(b, at)
		if err != nil {
			return nil, err
		}
		all = append(all, load{systemTable("rejects"), rejectFields, values, len(b.Rejects)})
	}
	return all, nil
}

// staging returns the load into its temporary table.
func (l load) staging() load {
	l.into = database.Temporary("stage " + l.into.Schema + " " + l.into.Name)
	return l
}

// stage fills the temporary tables that the transaction reads.
func (w *Warehouse) stage(ctx context.Context, conn *database.Conn, loads []load, replayed load) error {
	if w.staged() {
		for _, l := range loads {
			if err := l.staging().create(ctx, conn); err != nil {
				return err
			}
		}
	}
	if replayed.rows > 0 {
		return replayed.create(ctx, conn)
	}
	return nil
}

// create recreates the load's table, which is temporary, and appends its rows.
func (l load) create(ctx context.Context, conn *database.Conn) error {
	create := "CREATE OR REPLACE TEMP TABLE " + database.QuoteName(l.into.Name) + " " + database.ColumnList(l.fields)
	if err := database.ExecAll(ctx, conn, create); err != nil {
		return err
	}
	return conn.Append(ctx, l.into, l.rows, l.values)
}

// store appends the rows to the table, directly or from the temporary table.
func (l load) store(ctx context.Context, conn *database.Conn, staged bool) error {
	if !staged {
		return conn.Append(ctx, l.into, l.rows, l.values)
	}
	from := l.staging().into
	insert := fmt.Sprintf("INSERT INTO %s (%s) SELECT %s FROM %s", l.into, database.Names(l.fields), database.Names(l.fields), from)
	if err := database.ExecAll(ctx, conn, insert); err != nil {
		return fmt.Errorf("insert into %s: %w", l.into, err)
	}
	// Frees the memory; the next commit recreates the table.
	return database.ExecAll(ctx, conn, "TRUNCATE "+from.String())
}

// rejectValues returns the batch's rejects, in the order of rejectFields.
func rejectValues(b *contract.Batch, at time.Time) ([]database.Values, error) {
	violations := column.Vector{Type: column.JSON}
	for _, r := range b.Rejects {
		text, err := json.Marshal(r.Violations)
		if err != nil {
			return nil, fmt.Errorf("write violations of %s: %w", r.ID, err)
		}
		violations.AppendText(text)
	}
	return append(rejectKeys(b, b.Rejects),
		database.Vector(&violations), database.ConstantText(b.Contract.Version), database.Constant(at.UnixMicro())), nil
}

// replayed returns the load of the stored rejects that the batch replaces into a temporary table.
func replayed(b *contract.Batch) load {
	if len(b.Replayed) == 0 {
		return load{}
	}
	return load{database.Temporary("replayed"), rejectKeyFields, rejectKeys(b, b.Replayed), len(b.Replayed)}
}

// rejectKeys returns the identifying columns of rejects, in the order of rejectKeyFields.
func rejectKeys(b *contract.Batch, rejects []event.Reject) []database.Values {
	n := len(rejects)
	ms, seq, line, hashes := make([]uint64, n), make([]uint64, n), make([]uint32, n), make([]uint64, n)
	payloads := column.Vector{Type: column.Blob}
	for i, r := range rejects {
		ms[i], seq[i], line[i] = r.ID.MS, r.ID.Seq, r.Line
		hashes[i] = xxh3.Hash(r.Payload)
		payloads.AppendText(r.Payload)
	}
	return []database.Values{
		database.ConstantText(b.Contract.Name), database.Constant(int32(b.Shard)),
		database.Numbers(ms), database.Numbers(seq), database.Numbers(line), database.Vector(&payloads), database.Numbers(hashes),
	}
}

// deleteReplayed deletes the rejects of the temporary table replayed.
func deleteReplayed(ctx context.Context, conn *database.Conn) error {
	_, err := conn.ExecContext(ctx, `DELETE FROM warehouse.estela.rejects r USING temp.main.replayed d
		WHERE r.dataset = d.dataset AND r.shard = d.shard AND r.stream_ms = d.stream_ms AND r.stream_seq = d.stream_seq
		AND r.line = d.line AND r.payload_hash = d.payload_hash AND r.payload = d.payload`)
	if err != nil {
		return fmt.Errorf("delete replayed rejects: %w", err)
	}
	return nil
}
