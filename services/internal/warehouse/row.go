package warehouse

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/column"
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

// RowsByKey returns at most limit rows with the key, as text (see contract.KeyText), the newest
// first; none if the contract has no key.
func (w *Warehouse) RowsByKey(ctx context.Context, c *contract.Contract, key string, limit int) ([]Row, error) {
	parts, ok := c.KeyParts(key)
	if !ok || len(c.Key) == 0 {
		return nil, nil
	}
	var same []string
	var args []any
	for i, k := range c.Key {
		if name := database.QuoteName(c.Columns[k].Name); c.Columns[k].Type == column.TimestampTZ {
			same = append(same, name+" = TRY_CAST(? AS TIMESTAMPTZ)")
		} else {
			same = append(same, name+"::VARCHAR = ?")
		}
		args = append(args, parts[i])
	}
	return w.find(ctx, c, strings.Join(same, " AND ")+" ORDER BY _ingested_at DESC, _line LIMIT ?", append(args, limit)...)
}

func (w *Warehouse) find(ctx context.Context, c *contract.Contract, where string, args ...any) (all []Row, err error) {
	columns := []string{"_shard", "_stream_seq IS NULL", "_stream_ms", "coalesce(_stream_seq, 0)", "_line", "_ingested_at"}
	for _, k := range c.Key {
		columns = append(columns, keyText(c.Columns[k]))
	}
	query := "SELECT " + strings.Join(columns, ", ") + " FROM " + datasetTable(c.Name).String() + " WHERE " + where
	err = w.db.Read(ctx, func(ctx context.Context, conn *database.Conn) error {
		all, err = database.Collect(ctx, conn, func(rows *sql.Rows) (Row, error) { return scanRow(c, rows) }, query, args...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look up an event in %s: %w", c.Name, err)
	}
	return all, nil
}

// keyText is the SQL of a column's text as column.Vector.Format gives it.
func keyText(c contract.Column) string {
	name := database.QuoteName(c.Name)
	if c.Type == column.TimestampTZ {
		return "rtrim(rtrim(strftime(" + name + " AT TIME ZONE 'UTC', '%Y-%m-%dT%H:%M:%S.%f'), '0'), '.') || 'Z'"
	}
	return name + "::VARCHAR"
}

func scanRow(c *contract.Contract, rows *sql.Rows) (Row, error) {
	var r Row
	var unstreamed bool
	into := []any{&r.Shard, &unstreamed, &r.ID.MS, &r.ID.Seq, &r.Line, &r.StoredAt}
	key := make([]string, len(c.Key))
	for i := range key {
		into = append(into, &key[i])
	}
	err := rows.Scan(into...)
	r.Key = contract.KeyText(key)
	if unstreamed {
		r.ID = event.ID{}
	}
	r.StoredAt = r.StoredAt.UTC()
	return r, err
}
