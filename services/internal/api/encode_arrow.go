package api

import (
	"fmt"
	"io"
	"regexp"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/estela-dev/estela/services/internal/result"
)

// rowGroup is the number of rows in a row group of Parquet: what is held in
// memory, compressed, until it is written.
const rowGroup = 64 << 10

var decimalType = regexp.MustCompile(`^DECIMAL\((\d+),(\d+)\)$`)

// arrowTypes are the types of the columns that DuckDB gives as they are.
var arrowTypes = map[string]arrow.DataType{
	"BOOLEAN": arrow.FixedWidthTypes.Boolean,
	"TINYINT": arrow.PrimitiveTypes.Int8, "SMALLINT": arrow.PrimitiveTypes.Int16,
	"INTEGER": arrow.PrimitiveTypes.Int32, "BIGINT": arrow.PrimitiveTypes.Int64,
	"UTINYINT": arrow.PrimitiveTypes.Uint8, "USMALLINT": arrow.PrimitiveTypes.Uint16,
	"UINTEGER": arrow.PrimitiveTypes.Uint32, "UBIGINT": arrow.PrimitiveTypes.Uint64,
	"FLOAT": arrow.PrimitiveTypes.Float32, "DOUBLE": arrow.PrimitiveTypes.Float64,
	"BLOB": arrow.BinaryTypes.Binary, "DATE": arrow.FixedWidthTypes.Date32,
	"TIMESTAMP":    &arrow.TimestampType{Unit: arrow.Microsecond},
	"TIMESTAMP_S":  &arrow.TimestampType{Unit: arrow.Microsecond},
	"TIMESTAMP_MS": &arrow.TimestampType{Unit: arrow.Microsecond},
	"TIMESTAMP_NS": &arrow.TimestampType{Unit: arrow.Nanosecond},
	"TIMESTAMPTZ":  arrow.FixedWidthTypes.Timestamp_us,
}

// arrowType is the Arrow type of a column: its own, or text.
func arrowType(c column) arrow.DataType {
	if t, ok := arrowTypes[c.sqlType]; ok {
		return t
	}
	if match := decimalType.FindStringSubmatch(c.sqlType); match != nil {
		precision, _ := strconv.ParseInt(match[1], 10, 32)
		scale, _ := strconv.ParseInt(match[2], 10, 32)
		return &arrow.Decimal128Type{Precision: int32(precision), Scale: int32(scale)}
	}
	return arrow.BinaryTypes.String
}

func arrowSchema(sh *shape) *arrow.Schema {
	fields := make([]arrow.Field, len(sh.columns))
	for i, c := range sh.columns {
		fields[i] = arrow.Field{Name: c.name, Type: arrowType(c), Nullable: true}
	}
	return arrow.NewSchema(fields, nil)
}

// recordWriter takes rows in columns.
type recordWriter interface {
	Write(record arrow.RecordBatch) error
	Close() error
}

// arrowEncoder writes an Arrow IPC stream or Parquet.
type arrowEncoder struct {
	columns []column
	writer  recordWriter
	builder *array.RecordBuilder
}

func newArrowEncoder(w io.Writer, sh *shape) *arrowEncoder {
	schema := arrowSchema(sh)
	return &arrowEncoder{
		sh.columns, ipc.NewWriter(w, ipc.WithSchema(schema), ipc.WithZstd()),
		array.NewRecordBuilder(memory.DefaultAllocator, schema),
	}
}

func newParquetEncoder(w io.Writer, sh *shape) (*arrowEncoder, error) {
	schema := arrowSchema(sh)
	writer, err := pqarrow.NewFileWriter(schema, w,
		parquet.NewWriterProperties(
			parquet.WithCompression(compress.Codecs.Zstd), parquet.WithCompressionLevel(1),
			parquet.WithMaxRowGroupLength(rowGroup), parquet.WithCreatedBy("estela")),
		pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err != nil {
		return nil, fmt.Errorf("begin Parquet: %w", err)
	}
	return &arrowEncoder{sh.columns, buffered{writer}, array.NewRecordBuilder(memory.DefaultAllocator, schema)}, nil
}

// buffered writes many records into one row group.
type buffered struct{ *pqarrow.FileWriter }

func (b buffered) Write(record arrow.RecordBatch) error { return b.WriteBuffered(record) }

func (e *arrowEncoder) rows(chunk *result.Chunk, n int) error {
	for i, field := range e.builder.Fields() {
		if err := appendColumn(field, e.columns[i].form, chunk.Vectors[i], n); err != nil {
			return fmt.Errorf("write column %s: %w", e.builder.Schema().Field(i).Name, err)
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

// appendColumn adds the first n values of a column.
func appendColumn(to array.Builder, f form, v result.Vector, n int) error {
	valid := make([]bool, n)
	for i := range valid {
		valid[i] = !v.Null(i)
	}
	switch b := to.(type) {
	case *array.BooleanBuilder:
		b.AppendValues(result.Values[bool](v, n), valid)
	case *array.Int8Builder:
		b.AppendValues(result.Values[int8](v, n), valid)
	case *array.Int16Builder:
		b.AppendValues(result.Values[int16](v, n), valid)
	case *array.Int32Builder:
		b.AppendValues(result.Values[int32](v, n), valid)
	case *array.Int64Builder:
		b.AppendValues(result.Values[int64](v, n), valid)
	case *array.Uint8Builder:
		b.AppendValues(result.Values[uint8](v, n), valid)
	case *array.Uint16Builder:
		b.AppendValues(result.Values[uint16](v, n), valid)
	case *array.Uint32Builder:
		b.AppendValues(result.Values[uint32](v, n), valid)
	case *array.Uint64Builder:
		b.AppendValues(result.Values[uint64](v, n), valid)
	case *array.Float32Builder:
		b.AppendValues(result.Values[float32](v, n), valid)
	case *array.Float64Builder:
		b.AppendValues(result.Values[float64](v, n), valid)
	case *array.Date32Builder:
		b.AppendValues(result.Values[arrow.Date32](v, n), finite(v, valid))
	case *array.TimestampBuilder:
		b.AppendValues(result.Values[arrow.Timestamp](v, n), finite(v, valid))
	default:
		return appendTexts(to, f, v, valid)
	}
	return nil
}

// finite marks infinite times as NULL: Arrow has none.
func finite(v result.Vector, valid []bool) []bool {
	for i := range valid {
		if v.Kind == result.Date {
			n := result.At[int32](v, i)
			valid[i] = valid[i] && n != 1<<31-1 && n != -(1<<31-1)
			continue
		}
		n := result.At[int64](v, i)
		valid[i] = valid[i] && n != 1<<63-1 && n != -(1<<63-1)
	}
	return valid
}

// appendTexts adds strings, blobs, and decimals, which come as text.
func appendTexts(to array.Builder, f form, v result.Vector, valid []bool) error {
	for i, ok := range valid {
		if !ok {
			to.AppendNull()
			continue
		}
		switch b := to.(type) {
		case *array.StringBuilder:
			if f == asRaw || f == asTree {
				b.Append(string(appendJSON(nil, v.Bytes(i))))
			} else {
				b.Append(v.Text(i))
			}
		case *array.BinaryBuilder:
			b.Append(v.Bytes(i))
		case *array.Decimal128Builder:
			t := b.Type().(*arrow.Decimal128Type) //nolint:forcetypeassert // the builder's
			n, err := decimal128.FromString(v.Text(i), t.Precision, t.Scale)
			if err != nil {
				return err
			}
			b.Append(n)
		default:
			return fmt.Errorf("no values for a builder of %s", to.Type())
		}
	}
	return nil
}
