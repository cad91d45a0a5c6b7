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

// RejectGroup is the rejects of a dataset whose first violation is of the same keyword at the same place.
type RejectGroup struct {
	Keyword string
	// Place is the JSON pointer, with * for the indexes of lists.
	Place string
	// Message is the first violation of one of the newest.
	Message     string
	Rejects     int64
	First, Last time.Time
}

// The SQL of a reject's group. The pattern takes the slash behind an index, so that a second pass finds the index
// behind that.
const (
	rejectKeyword = `coalesce(violations->>'$[0].keyword', '')`
	rejectPlace   = `regexp_replace(regexp_replace(coalesce(violations->>'$[0].pointer', ''), '/[0-9]+(/|$)', '/*\1', 'g'), '/[0-9]+(/|$)', '/*\1', 'g')`
)

// GroupRejects returns at most limit groups of the dataset's rejects, those with the most rejects first.
func (w *Warehouse) GroupRejects(ctx context.Context, dataset string, limit int) ([]RejectGroup, error) {
	var all []RejectGroup
	err := w.db.Read(ctx, func(ctx context.Context, conn *database.Conn) (err error) {
		all, err = database.Collect(ctx, conn, func(rows *sql.Rows) (g RejectGroup, err error) {
			err = rows.Scan(&g.Keyword, &g.Place, &g.Message, &g.Rejects, &g.First, &g.Last)
			g.First, g.Last = g.First.UTC(), g.Last.UTC()
			return g, err
		}, `SELECT `+rejectKeyword+` AS keyword, `+rejectPlace+` AS place, arg_max(coalesce(violations->>'$[0].message', ''), rejected_at), count(*), min(rejected_at), max(rejected_at)
			FROM warehouse.estela.rejects WHERE dataset = ? GROUP BY ALL ORDER BY count(*) DESC, max(rejected_at) DESC, keyword, place LIMIT ?`, dataset, limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("group rejects of %s: %w", dataset, err)
	}
	return all, nil
}

// NewestRejects returns at most limit rejects of a group, by its keyword and place, the newest first.
func (w *Warehouse) NewestRejects(ctx context.Context, dataset, keyword, place string, limit int) ([]StoredReject, error) {
	var all []StoredReject
	err := w.db.Read(ctx, func(ctx context.Context, conn *database.Conn) (err error) {
		all, err = queryRejects(ctx, conn, "AND "+rejectKeyword+" = ? AND "+rejectPlace+" = ? ORDER BY rejected_at DESC, stream_ms DESC, stream_seq DESC, line DESC, shard LIMIT ?", dataset, keyword, place, limit)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list newest rejects of %s: %w", dataset, err)
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
