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
	return &arrowEncoder{columns, &parquetWriter{w: w, schema: schema}, array.NewRecordBuilder(memory.DefaultAllocator, schema)}, nil
}

// parquetWriter writes many records into one row group. The first record decides how columns are
// encoded.
type parquetWriter struct {
	w      io.Writer
	schema *arrow.Schema
	file   *pqarrow.FileWriter // nil before the first record
}

// Write implements recordWriter.
func (p *parquetWriter) Write(record arrow.RecordBatch) error {
	if err := p.begin(record.Columns()); err != nil {
		return err
	}
	return p.file.WriteBuffered(record)
}

// Close implements recordWriter.
func (p *parquetWriter) Close() error {
	if err := p.begin(nil); err != nil {
		return err
	}
	return p.file.Close()
}

// begin begins the file, unless it is begun. Nearly unique columns get no dictionary: to fill one
// takes most of the time, and it is given up anyway once it is as large as the values.
func (p *parquetWriter) begin(first []arrow.Array) (err error) {
	if p.file != nil {
		return nil
	}
	properties := []parquet.WriterProperty{
		parquet.WithCompression(compress.Codecs.Snappy), // supported by every reader
		parquet.WithMaxRowGroupLength(rowGroup), parquet.WithCreatedBy("estela"),
		parquet.WithRootRepetition(parquet.Repetitions.Required), // else some readers see a list
	}
	for i, values := range first {
		if nearlyUnique(values) {
			properties = append(properties, parquet.WithDictionaryFor(p.schema.Field(i).Name, false))
		}
	}
	if p.file, err = pqarrow.NewFileWriter(p.schema, p.w, parquet.NewWriterProperties(properties...), pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema())); err != nil {
		return fmt.Errorf("begin Parquet: %w", err)
	}
	return nil
}

// nearlyUnique reports whether nine in ten values are different, of at least 500.
func nearlyUnique(values arrow.Array) bool {
	const few = 500
	distinct := map[string]struct{}{}
	for i := range values.Len() {
		distinct[values.ValueStr(i)] = struct{}{}
	}
	return values.Len() >= few && len(distinct) >= values.Len()/10*9
}

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
