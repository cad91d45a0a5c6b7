package warehouse

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"unsafe"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/estela-dev/estela/services/internal/column"
	"github.com/estela-dev/estela/services/internal/contract"
	"github.com/estela-dev/estela/services/internal/event"
)

// Keys calls each with the hash and stream time of every key stored for the
// shard since the given stream time (milliseconds), in the table's order, and with
// the time that is believed: no later than the commit and [event.MaxAhead]. Rows
// are streamed and hashed where they lie, so that 30 million of them take
// seconds and no memory.
func (w *Warehouse) Keys(ctx context.Context, c *contract.Contract, shard int, sinceMS uint64, each func(hash, ms, believed uint64)) error {
	key := c.Columns[c.Key]
	query := "SELECT " + quoteName(key.Name) + ", _stream_ms, " +
		"least(_stream_ms, CAST(epoch_ms(_ingested_at) + " + strconv.FormatInt(event.MaxAhead.Milliseconds(), 10) + " AS UBIGINT)) FROM " + datasetTable(c.Name).String() +
		" WHERE _shard = " + strconv.Itoa(shard) + " AND _stream_ms >= " + strconv.FormatUint(sinceMS, 10)
	err := w.read(ctx, func(ctx context.Context, conn *sql.Conn) error {
		raw, err := rawConnection(conn)
		if err != nil {
			return err
		}
		rows, err := stream(ctx, raw, query, nil)
		if err != nil {
			return err
		}
		defer rows.close()
		return rows.each(ctx, func(chunk mapping.DataChunk, n int) error {
			return eachKey(chunk, n, key.Type, each)
		})
	})
	if err != nil {
		return fmt.Errorf("read keys of %s:%d: %w", c.Name, shard, err)
	}
	return nil
}

// eachKey hashes the keys in the chunk's first column; the others are the times.
func eachKey(chunk mapping.DataChunk, n int, kind column.Kind, each func(hash, ms, believed uint64)) error {
	hash, err := keyHash(chunk, n, kind)
	if err != nil {
		return err
	}
	believed := values[uint64](chunk, 2, n)
	for i, ms := range values[uint64](chunk, 1, n) {
		each(hash(i), ms, believed[i])
	}
	return nil
}

// keyHash is the function that hashes the i-th key of the chunk as the decoder
// hashes it.
func keyHash(chunk mapping.DataChunk, n int, kind column.Kind) (func(i int) uint64, error) {
	switch kind {
	case column.Varchar:
		keys := vectorOf(chunk, 0)
		return func(i int) uint64 { return column.HashString(keys.Text(i)) }, nil
	case column.UUID:
		keys := values[[16]byte](chunk, 0, n)
		return func(i int) uint64 { return column.HashUUID(keys[i]) }, nil
	case column.TinyInt:
		return integerHash[int8](chunk, n), nil
	case column.SmallInt:
		return integerHash[int16](chunk, n), nil
	case column.Integer:
		return integerHash[int32](chunk, n), nil
	case column.BigInt:
		return integerHash[int64](chunk, n), nil
	default:
		return nil, fmt.Errorf("a key can't be a %s", kind)
	}
}

func integerHash[T int8 | int16 | int32 | int64](chunk mapping.DataChunk, n int) func(i int) uint64 {
	keys := values[T](chunk, 0, n)
	return func(i int) uint64 { return column.HashInt(int64(keys[i])) }
}

// values are a column of the chunk, which owns them.
func values[T any](chunk mapping.DataChunk, column, n int) []T {
	return unsafe.Slice((*T)(mapping.VectorGetData(mapping.DataChunkGetVector(chunk, mapping.IdxT(column)))), n)
}
