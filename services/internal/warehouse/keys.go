package warehouse

import (
	"context"
	"fmt"
	"strconv"
	"strings"

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
	query := "SELECT _stream_ms, " +
		"least(_stream_ms, CAST(epoch_ms(_ingested_at) + " + strconv.FormatInt(event.MaxAhead.Milliseconds(), 10) + " AS UBIGINT))" + selectKey(c) + " FROM " + datasetTable(c.Name).String() +
		" WHERE _shard = " + strconv.Itoa(shard) + " AND _stream_ms >= " + strconv.FormatUint(sinceMS, 10)
	err := w.db.Read(ctx, func(ctx context.Context, conn *database.Conn) error {
		return conn.Stream(ctx, query, nil, func(rows result.Rows) error {
			for {
				chunk, err := rows.Next()
				if err != nil || chunk == nil {
					return err
				}
				if err := eachKey(chunk, c, each); err != nil {
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

// selectKey lists the key's columns in SQL, each after a comma.
func selectKey(c *contract.Contract) string {
	var list strings.Builder
	for _, k := range c.Key {
		list.WriteString(", " + database.QuoteName(c.Columns[k].Name))
	}
	return list.String()
}

// eachKey hashes the keys of the chunk, whose first two columns are their times.
func eachKey(chunk *result.Chunk, c *contract.Contract, each func(hash, ms, clamped uint64)) error {
	hashes := make([]func(int) uint64, len(c.Key))
	for n, k := range c.Key {
		hash, err := keyHash(chunk.Vectors[2+n], chunk.Rows, c.Columns[k].Type)
		if err != nil {
			return err
		}
		hashes[n] = hash
	}
	clamped := result.Values[uint64](chunk.Vectors[1], chunk.Rows)
	for i, ms := range result.Values[uint64](chunk.Vectors[0], chunk.Rows) {
		hash := hashes[0](i)
		for _, next := range hashes[1:] {
			hash = column.CombineHash(hash, next(i))
		}
		each(hash, ms, clamped[i])
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
	case column.TinyInt, column.Boolean:
		return integerHash[int8](keys, n), nil
	case column.SmallInt:
		return integerHash[int16](keys, n), nil
	case column.Integer, column.Date:
		return integerHash[int32](keys, n), nil
	case column.BigInt, column.TimestampTZ:
		return integerHash[int64](keys, n), nil
	default:
		return nil, fmt.Errorf("a key can't be a %s", kind)
	}
}

func integerHash[T int8 | int16 | int32 | int64](keys result.Vector, n int) func(i int) uint64 {
	integers := result.Values[T](keys, n)
	return func(i int) uint64 { return column.HashInt(int64(integers[i])) }
}
