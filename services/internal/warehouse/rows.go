package warehouse

import (
	"context"

	"github.com/duckdb/duckdb-go/v2/mapping"

	"github.com/estela-dev/estela/services/internal/result"
)

// rows are an answer as others read it.
type rows struct {
	*answer

	ctx   context.Context //nolint:containedctx // the query's: Next is called inside of it
	raw   mapping.DataChunk
	chunk result.Chunk
}

// Next implements result.Rows.
func (r *rows) Next() (*result.Chunk, error) {
	r.release()
	var err error
	if r.raw, err = r.next(r.ctx); err != nil || r.raw.Ptr == nil {
		return nil, err
	}
	r.chunk.Rows = int(mapping.DataChunkGetSize(r.raw))
	r.chunk.Vectors = r.chunk.Vectors[:0]
	for i := range int(mapping.DataChunkGetColumnCount(r.raw)) {
		r.chunk.Vectors = append(r.chunk.Vectors, vectorOf(r.raw, i))
	}
	return &r.chunk, nil
}

func (r *rows) release() {
	if r.raw.Ptr != nil {
		mapping.DestroyDataChunk(&r.raw)
	}
}

func (r *rows) close() {
	r.release()
	r.answer.close()
}

// kinds are the types whose values others may read.
var kinds = map[mapping.Type]result.Kind{
	mapping.TypeBoolean: result.Boolean,
	mapping.TypeTinyInt: result.TinyInt, mapping.TypeSmallInt: result.SmallInt,
	mapping.TypeInteger: result.Integer, mapping.TypeBigInt: result.BigInt,
	mapping.TypeUTinyInt: result.UTinyInt, mapping.TypeUSmallInt: result.USmallInt,
	mapping.TypeUInteger: result.UInteger, mapping.TypeUBigInt: result.UBigInt,
	mapping.TypeFloat: result.Float, mapping.TypeDouble: result.Double,
	mapping.TypeVarchar: result.Varchar, mapping.TypeBlob: result.Blob, mapping.TypeDate: result.Date,
	mapping.TypeTimestamp: result.Timestamp, mapping.TypeTimestampTZ: result.TimestampTZ,
	mapping.TypeTimestampNS: result.TimestampNS,
}

// vectorOf is a column of the chunk, which owns it.
func vectorOf(chunk mapping.DataChunk, column int) result.Vector {
	vector := mapping.DataChunkGetVector(chunk, mapping.IdxT(column))
	logical := mapping.VectorGetColumnType(vector)
	defer mapping.DestroyLogicalType(&logical)
	return result.Vector{
		Kind:  kinds[mapping.GetTypeId(logical)],
		Data:  mapping.VectorGetData(vector),
		Valid: (*uint64)(mapping.VectorGetValidity(vector)),
	}
}
