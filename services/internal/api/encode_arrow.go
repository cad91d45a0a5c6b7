package api

import (
	"errors"
	"fmt"
	"io"
	"regexp"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/estela-dev/estela/services/internal/endpoint"
	"github.com/estela-dev/estela/services/internal/result"
)

// rowGroup is the number of rows in a row group of Parquet: what is held in
// memory, compressed, until it is written.
const rowGroup = 64 << 10

var decimalType = regexp.MustCompile(`^DECIMAL\((\d+),(\d+)\)$`)

// recordWriter takes rows in columns.
type recordWriter interface {
	Write(record arrow.RecordBatch) error
	Close() error
}

// arrowEncoder writes an Arrow IPC stream or Parquet.
type arrowEncoder struct {
	types   []result.Type
	writer  recordWriter
	builder *array.RecordBuilder
}

func newArrowEncoder(w io.Writer, sh *endpoint.Shape, types []result.Type) *arrowEncoder {
	schema := arrowSchema(sh, types)
	return &arrowEncoder{types, ipc.NewWriter(w, ipc.WithSchema(schema)), array.NewRecordBuilder(memory.DefaultAllocator, schema)}
}

func newParquetEncoder(w io.Writer, sh *endpoint.Shape, types []result.Type) (*arrowEncoder, error) {
	schema := arrowSchema(sh, types)
	writer, err := pqarrow.NewFileWriter(schema, w,
		parquet.NewWriterProperties(
			parquet.WithCompression(compress.Codecs.Snappy), // which every reader knows
			parquet.WithMaxRowGroupLength(rowGroup), parquet.WithCreatedBy("estela"),
			parquet.WithRootRepetition(parquet.Repetitions.Required)), // else some read lists where there are none
		pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err != nil {
		return nil, fmt.Errorf("begin Parquet: %w", err)
	}
	return &arrowEncoder{types, buffered{writer}, array.NewRecordBuilder(memory.DefaultAllocator, schema)}, nil
}

// buffered writes many records into one row group.
type buffered struct{ *pqarrow.FileWriter }

func (b buffered) Write(record arrow.RecordBatch) error { return b.WriteBuffered(record) }

func (e *arrowEncoder) rows(chunk *result.Chunk, n int) error {
	for i, field := range e.builder.Fields() {
		if err := appendArrow(field, &e.types[i], &chunk.Vectors[i], 0, n); err != nil {
			name := e.builder.Schema().Field(i).Name
			if errors.Is(err, errDigits) {
				return notAcceptable.new("", "The column "+name+" has "+err.Error()+". Ask for another format, such as json or csv; or cast the column in the endpoint's SQL.")
			}
			return fmt.Errorf("write column %s: %w", name, err)
		}
	}
	record := e.builder.NewRecordBatch()
	defer record.Release()
	return e.writer.Write(record)
}

func (e *arrowEncoder) end(meta) error {
	e.builder.Release()
	return e.writer.Close()
}
