package warehouse

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/event"
)

// Row is the origin of a stored event and when it was stored.
type Row struct {
	Key   string
	Shard int
	// ID is zero for a backfilled row.
	ID       event.ID
	Line     uint32
	StoredAt time.Time
}

// RowsByID returns the rows of one stream entry, by line.
func (w *Warehouse) RowsByID(ctx context.Context, c *contract.Contract, shard int, id event.ID) ([]Row, error) {
	return w.find(ctx, c, "_shard = ? AND _stream_ms = ? AND _stream_seq = ? ORDER BY _line", shard, database.Unsigned(id.MS), database.Unsigned(id.Seq))
}

// RowsByKey returns at most limit rows with the key, as text, the newest first.
func (w *Warehouse) RowsByKey(ctx context.Context, c *contract.Contract, key string, limit int) ([]Row, error) {
	return w.find(ctx, c, database.QuoteName(c.Columns[c.Key].Name)+"::VARCHAR = ? ORDER BY _ingested_at DESC, _line LIMIT ?", key, limit)
}

func (w *Warehouse) find(ctx context.Context, c *contract.Contract, where string, args ...any) (all []Row, err error) {
	query := fmt.Sprintf(`SELECT %s::VARCHAR, _shard, _stream_seq IS NULL,
		_stream_ms, coalesce(_stream_seq, 0), _line, _ingested_at FROM %s WHERE %s`,
		database.QuoteName(c.Columns[c.Key].Name), datasetTable(c.Name), where)
	err = w.db.Read(ctx, func(ctx context.Context, conn *database.Conn) error {
		all, err = database.Collect(ctx, conn, scanRow, query, args...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look up an event in %s: %w", c.Name, err)
	}
	return all, nil
}

func scanRow(rows *sql.Rows) (Row, error) {
	var r Row
	var unstreamed bool
	err := rows.Scan(&r.Key, &r.Shard, &unstreamed, &r.ID.MS, &r.ID.Seq, &r.Line, &r.StoredAt)
	if unstreamed {
		r.ID = event.ID{}
	}
	r.StoredAt = r.StoredAt.UTC()
	return r, err
}
