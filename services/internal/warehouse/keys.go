package warehouse

import (
	"context"
	"fmt"
	"strconv"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/database"
	"github.com/estela-dev/estela/services/internal/event"
	"github.com/estela-dev/estela/services/internal/result"
)

// Keys calls each with the hash and stream time of every key stored for the
// shard since the given stream time (milliseconds), in the table's order, and
// that time clamped to the commit's plus [event.MaxAhead]. Rows
// are streamed and hashed where they lie, so that 30 million of them take
// seconds and no memory.
func (w *Warehouse) Keys(ctx context.Context, c *contract.Contract, shard int, sinceMS uint64, each func(hash, ms, clamped uint64)) error {
	key := c.Columns[c.Key]
	query := "SELECT " + database.QuoteName(key.Name) + ", _stream_ms, " +
		"least(_stream_ms, CAST(epoch_ms(_ingested_at) + " + strconv.FormatInt(event.MaxAhead.Milliseconds(), 10) + " AS UBIGINT)) FROM " + datasetTable(c.Name).String() +
		" WHERE _shard = " + strconv.Itoa(shard) + " AND _stream_ms >= " + strconv.FormatUint(sinceMS, 10)
	err := w.db.Read(ctx, func(ctx context.Context, conn *database.Conn) error {
		return conn.Stream(ctx, query, nil, func(rows result.Rows) error {
			for {
				chunk, err := rows.Next()
				if err != nil || chunk == nil {
					return err
				}
				if err := eachKey(chunk, key.Type, each); err != nil {
					return err
				}
			}
		})
	})
	if err != nil {
		return fmt.Errorf("read keys of %s:%d: %w", c.Name, shard, err)
	}
	return nil
}

// eachKey hashes the keys in the chunk's first column; the others are its times.
func eachKey(chunk *result.Chunk, kind column.Kind, each func(hash, ms, clamped uint64)) error {
	hash, err := keyHash(chunk.Vectors[0], chunk.Rows, kind)
	if err != nil {
		return err
	}
	clamped := result.Values[uint64](chunk.Vectors[2], chunk.Rows)
	for i, ms := range result.Values[uint64](chunk.Vectors[1], chunk.Rows) {
		each(hash(i), ms, clamped[i])
	}
	return nil
}

// keyHash returns a function that hashes the i-th of n keys like the decoder.
func keyHash(keys result.Vector, n int, kind column.Kind) (func(i int) uint64, error) {
	switch kind {
	case column.Varchar:
		return func(i int) uint64 { return column.HashString(keys.Text(i)) }, nil
	case column.UUID:
		ids := result.Values[[16]byte](keys, n)
		return func(i int) uint64 { return column.HashUUID(ids[i]) }, nil
	case column.TinyInt:
		return integerHash[int8](keys, n), nil
	case column.SmallInt:
		return integerHash[int16](keys, n), nil
	case column.Integer:
		return integerHash[int32](keys, n), nil
	case column.BigInt:
		return integerHash[int64](keys, n), nil
	default:
		return nil, fmt.Errorf("a key can't be a %s", kind)
	}
}

func integerHash[T int8 | int16 | int32 | int64](keys result.Vector, n int) func(i int) uint64 {
	integers := result.Values[T](keys, n)
	return func(i int) uint64 { return column.HashInt(int64(integers[i])) }
}
