package encode

import (
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/estela-dev/estela/services/internal/result"
)

// rowGroup is the number of rows in a row group of Parquet, which is in memory, compressed, until
// it is written.
const rowGroup = 64 << 10

// recordWriter writes record batches.
type recordWriter interface {
	Write(record arrow.RecordBatch) error
	Close() error
}

// arrowEncoder writes an Arrow IPC stream or Parquet.
type arrowEncoder struct {
	columns []Column
	writer  recordWriter
	builder *array.RecordBuilder
}

// Arrow returns an encoder of an Arrow IPC stream.
func Arrow(w io.Writer, columns []Column) (Encoder, error) {
	schema := arrowSchema(columns)
	return &arrowEncoder{columns, ipc.NewWriter(w, ipc.WithSchema(schema)), array.NewRecordBuilder(memory.DefaultAllocator, schema)}, nil
}

// Parquet returns an encoder of Parquet.
func Parquet(w io.Writer, columns []Column) (Encoder, error) {
	schema := arrowSchema(columns)
	writer, err := pqarrow.NewFileWriter(schema, w,
		parquet.NewWriterProperties(
			parquet.WithCompression(compress.Codecs.Snappy), // supported by every reader
			parquet.WithMaxRowGroupLength(rowGroup), parquet.WithCreatedBy("estela"),
			parquet.WithRootRepetition(parquet.Repetitions.Required)), // else some readers see a list
		pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err != nil {
		return nil, fmt.Errorf("begin Parquet: %w", err)
	}
	return &arrowEncoder{columns, bufferedWriter{writer}, array.NewRecordBuilder(memory.DefaultAllocator, schema)}, nil
}

// bufferedWriter writes many records into one row group.
type bufferedWriter struct{ file *pqarrow.FileWriter }

func (b bufferedWriter) Write(record arrow.RecordBatch) error { return b.file.WriteBuffered(record) }
func (b bufferedWriter) Close() error                         { return b.file.Close() }

// Rows implements Encoder. A number with too many digits is a *PrecisionError.
func (e *arrowEncoder) Rows(chunk *result.Chunk, n int) error {
	for i, field := range e.builder.Fields() {
		if err := appendArrow(field, &e.columns[i].Type, &chunk.Vectors[i], 0, n); err != nil {
			name := e.columns[i].Name
			if errors.Is(err, errPrecision) {
				return &PrecisionError{Column: name}
			}
			return fmt.Errorf("write column %s: %w", name, err)
		}
	}
	record := e.builder.NewRecordBatch()
	defer record.Release()
	return e.writer.Write(record)
}

// End implements Encoder.
func (e *arrowEncoder) End(Meta) error {
	e.builder.Release()
	return e.writer.Close()
}
