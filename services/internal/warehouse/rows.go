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

// Types implements result.Typed.
func (r *rows) Types() []result.Type { return r.types() }
