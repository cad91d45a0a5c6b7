package warehouse

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/event"
)

// ErrNoReject means that no reject has the key.
var ErrNoReject = errors.New("no such reject")

// RejectKey is the origin of a dataset's reject. Its text is SHARD/MS-SEQ/LINE.
type RejectKey struct {
	Shard int
	ID    event.ID
	Line  uint32
}

// StoredReject is a reject in the warehouse.
type StoredReject struct {
	event.Reject

	Dataset       string
	Shard         int
	SchemaVersion string
	RejectedAt    time.Time
}

// ParseRejectKey parses the text of a key.
func ParseRejectKey(text string) (RejectKey, error) {
	parts := strings.Split(text, "/")
	if len(parts) != 3 {
		return RejectKey{}, fmt.Errorf("parse reject %q: want SHARD/MS-SEQ/LINE, for example 0/1526919030474-55/0", text)
	}
	shard, err1 := strconv.ParseInt(parts[0], 10, 32)
	id, err2 := event.ParseID(parts[1])
	line, err3 := strconv.ParseUint(parts[2], 10, 32)
	if err := errors.Join(err1, err2, err3); err != nil {
		return RejectKey{}, fmt.Errorf("parse reject %q: want SHARD/MS-SEQ/LINE, for example 0/1526919030474-55/0: %w", text, err)
	}
	return RejectKey{int(shard), id, uint32(line)}, nil
}

func (k RejectKey) String() string {
	return strconv.Itoa(k.Shard) + "/" + k.ID.String() + "/" + strconv.FormatUint(uint64(k.Line), 10)
}

// Key returns the reject's key.
func (r StoredReject) Key() RejectKey { return RejectKey{r.Shard, r.ID, r.Line} }

const selectRejects = `SELECT dataset, shard, stream_ms, stream_seq, line, payload, violations::VARCHAR, schema_version, rejected_at
	FROM warehouse.estela.rejects WHERE dataset = ? `

// ListRejects returns at most limit rejects of the dataset in the order of their keys, from the one after
// the given key, nil for the first.
func (w *Warehouse) ListRejects(ctx context.Context, dataset string, limit int, after *RejectKey) ([]StoredReject, error) {
	where, args := "", []any{dataset}
	if after != nil {
		where = "AND (shard, stream_ms, stream_seq, line) > (?::INTEGER, ?::UBIGINT, ?::UBIGINT, ?::UINTEGER) "
		args = append(args, after.Shard, database.Unsigned(after.ID.MS), database.Unsigned(after.ID.Seq), after.Line)
	}
	var all []StoredReject
	err := w.db.Read(ctx, func(ctx context.Context, conn *database.Conn) (err error) {
		all, err = queryRejects(ctx, conn, where+"ORDER BY shard, stream_ms, stream_seq, line LIMIT ?", append(args, limit)...)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list rejects of %s: %w", dataset, err)
	}
	return all, nil
}

// RejectsByID returns the rejects of one stream entry, by line.
func (w *Warehouse) RejectsByID(ctx context.Context, dataset string, shard int, id event.ID) ([]StoredReject, error) {
	var all []StoredReject
	err := w.db.Read(ctx, func(ctx context.Context, conn *database.Conn) (err error) {
		all, err = queryRejects(ctx, conn, "AND shard = ? AND stream_ms = ? AND stream_seq = ? ORDER BY line", dataset, shard, database.Unsigned(id.MS), database.Unsigned(id.Seq))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("look up rejects of %s: %w", dataset, err)
	}
	return all, nil
}

// GetReject returns one reject, or ErrNoReject.
func (w *Warehouse) GetReject(ctx context.Context, dataset string, key RejectKey) (StoredReject, error) {
	var all []StoredReject
	err := w.db.Read(ctx, func(ctx context.Context, conn *database.Conn) (err error) {
		all, err = queryRejects(ctx, conn, "AND shard = ? AND stream_ms = ? AND stream_seq = ? AND line = ? LIMIT 1", dataset, key.Shard, database.Unsigned(key.ID.MS), database.Unsigned(key.ID.Seq), key.Line)
		return err
	})
	if err == nil && len(all) == 0 {
		err = ErrNoReject
	}
	if err != nil {
		return StoredReject{}, fmt.Errorf("read reject %s of %s: %w", key, dataset, err)
	}
	return all[0], nil
}

func queryRejects(ctx context.Context, conn *database.Conn, where string, args ...any) ([]StoredReject, error) {
	return database.Collect(ctx, conn, scanReject, selectRejects+where, args...)
}

func scanReject(rows *sql.Rows) (StoredReject, error) {
	var r StoredReject
	var violations string
	err := rows.Scan(&r.Dataset, &r.Shard, &r.ID.MS, &r.ID.Seq, &r.Line, &r.Payload, &violations, &r.SchemaVersion, &r.RejectedAt)
	if err != nil {
		return r, err
	}
	r.RejectedAt = r.RejectedAt.UTC()
	return r, json.Unmarshal([]byte(violations), &r.Violations)
}

// PurgeRejects deletes the dataset's rejects that were stored before the given time and returns how many.
func (w *Warehouse) PurgeRejects(ctx context.Context, dataset string, before time.Time) (n int64, err error) {
	err = w.write(ctx, func(ctx context.Context, conn *database.Conn) error {
		n, err = database.Changed(ctx, conn, "DELETE FROM warehouse.estela.rejects WHERE dataset = ? AND rejected_at < ?", dataset, before)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("purge rejects of %s: %w", dataset, err)
	}
	return n, nil
}
